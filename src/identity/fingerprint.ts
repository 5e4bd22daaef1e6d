import { createHash, type X509Certificate } from 'node:crypto';

/** SHA-256 of a certificate's DER: 64 lower-case hex digits. It names an identity (design: identity is a certificate). */
export type Fingerprint = string;

/** SHA-256 of a public key's SubjectPublicKeyInfo (RFC 7469 §2.4): 64 lower-case hex digits. A renewed certificate keeps it. */
export type PublicKeyHash = string;

export function isFingerprint(text: string): text is Fingerprint {
  return /^[0-9a-f]{64}$/.test(text);
}

export function fingerprintOf(certificate: X509Certificate): Fingerprint {
  return createHash('sha256').update(certificate.raw).digest('hex');
}

export function publicKeyHashOf(certificate: X509Certificate): PublicKeyHash {
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}
