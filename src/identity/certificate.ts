// Node 26.10: X509Certificate.toLegacyObject() before `tls` was loaded leaves a half-made `tls` behind, and every TLS server
// of the process then fails with "tls.createSecureContext is not a function".
import 'node:tls';
import { X509Certificate } from 'node:crypto';
import { type Email, parseEmail } from '../wire/email.ts';
import { type Fingerprint, fingerprintOf, type PublicKeyHash, publicKeyHashOf } from './fingerprint.ts';

/** What a certificate says of its holder, read once. That the holder has the key, TLS proves. */
export interface CertificateClaims {
  /** From the subject's one CN. */
  readonly email: Email;
  readonly fingerprint: Fingerprint;
  readonly publicKeyHash: PublicKeyHash;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** PEM as OpenSSL writes it, whatever stood around it in the input. */
  readonly pem: string;
}

export type CertificateProblem = 'malformed' | 'no-email' | 'weak-key' | 'not-yet-valid' | 'expired';

export class CertificateError extends Error {
  readonly code: CertificateProblem;

  constructor(code: CertificateProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CertificateError';
    this.code = code;
  }
}

/** NIST SP 800-131A: shorter RSA keys are disallowed. */
const rsaBitsMin = 2048;
/** Verification time grows with the cube of the length; longer keys buy nothing but a slow relay. */
const rsaBitsMax = 8192;
const curves = ['prime256v1', 'secp384r1'];

/**
 * Reads a certificate that stands for a person: one CN that is an e-mail, and a key we accept
 * (ECDSA P-256 or P-384, RSA of 2048 to 8192 bits, Ed25519). Validity is {@link checkValidity}'s business.
 *
 * @param source PEM text or DER bytes; PEM must hold exactly one certificate.
 * @throws {CertificateError}
 */
export function readCertificate(source: string | Uint8Array): CertificateClaims {
  return claimsOf(parse(source));
}

/** The same for a certificate that Node has parsed already, as a TLS socket hands it out. */
export function claimsOf(certificate: X509Certificate): CertificateClaims {
  requireStrongKey(certificate);
  return {
    email: emailOf(certificate),
    fingerprint: fingerprintOf(certificate),
    publicKeyHash: publicKeyHashOf(certificate),
    notBeforeMs: timeOf(certificate.validFromDate),
    notAfterMs: timeOf(certificate.validToDate),
    pem: certificate.toString(),
  };
}

/** @throws {CertificateError} when `nowMs` lies outside the certificate's validity. */
export function checkValidity(
  claims: Pick<CertificateClaims, 'notBeforeMs' | 'notAfterMs'>,
  nowMs: number,
): void {
  if (nowMs < claims.notBeforeMs)
    throw new CertificateError(
      'not-yet-valid',
      `certificate is not valid before ${new Date(claims.notBeforeMs).toISOString()}: check the clocks`,
    );
  if (nowMs > claims.notAfterMs)
    throw new CertificateError(
      'expired',
      `certificate expired at ${new Date(claims.notAfterMs).toISOString()}`,
    );
}

/** A time that cannot be read is NaN, which is neither before nor after anything: such a certificate would never expire. */
function timeOf(date: Date): number {
  const timeMs = date.getTime();
  if (Number.isNaN(timeMs))
    throw new CertificateError('malformed', 'certificate holds a validity that cannot be read');
  return timeMs;
}

function parse(source: string | Uint8Array): X509Certificate {
  // OpenSSL reads three labels (`X509 CERTIFICATE`, `TRUSTED CERTIFICATE` too), and would take the first of any.
  if (typeof source === 'string' && source.match(/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/g)?.length !== 1)
    throw new CertificateError('malformed', 'certificate must be PEM with exactly one certificate');
  try {
    return new X509Certificate(source);
  } catch (cause) {
    throw new CertificateError('malformed', 'certificate is not a readable X.509 certificate', { cause });
  }
}

function requireStrongKey(certificate: X509Certificate): void {
  const { asymmetricKeyType, asymmetricKeyDetails } = publicKeyOf(certificate);
  if (asymmetricKeyType === 'ed25519') return;
  if (asymmetricKeyType === 'ec') {
    const curve = asymmetricKeyDetails?.namedCurve ?? 'unnamed';
    if (curves.includes(curve)) return;
    throw new CertificateError('weak-key', `certificate uses the curve ${curve}, expected P-256 or P-384`);
  }
  if (asymmetricKeyType === 'rsa') {
    const bits = asymmetricKeyDetails?.modulusLength ?? 0;
    if (bits >= rsaBitsMin && bits <= rsaBitsMax) return;
    throw new CertificateError(
      'weak-key',
      `certificate has an RSA key of ${bits} bits, expected ${rsaBitsMin} to ${rsaBitsMax}`,
    );
  }
  throw new CertificateError('weak-key', 'certificate must have an ECDSA, RSA or Ed25519 key');
}

function publicKeyOf(certificate: X509Certificate): X509Certificate['publicKey'] {
  try {
    return certificate.publicKey;
  } catch (cause) {
    throw new CertificateError('malformed', 'certificate holds a public key that cannot be read', { cause });
  }
}

function emailOf(certificate: X509Certificate): Email {
  // A subject with two CNs gives an array: which one counts would be a guess, so neither does.
  const commonName: unknown = certificate.toLegacyObject().subject?.CN;
  if (typeof commonName !== 'string')
    throw new CertificateError('no-email', 'certificate must have exactly one CN, the e-mail');
  const parsed = parseEmail(commonName);
  if ('problem' in parsed)
    throw new CertificateError('no-email', `certificate CN is not an e-mail: ${parsed.problem}`);
  return parsed.email;
}
