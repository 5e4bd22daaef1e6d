// @peculiar/x509 needs it to be there first.
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Email } from '../wire/email.ts';

/** A private key and the certificate that names it, both PEM. The key is a secret: never log it. */
export interface KeyAndCertificate {
  /** PKCS #8. */
  readonly keyPem: string;
  readonly certificatePem: string;
}

export interface CreateOptions {
  readonly nowMs?: number;
  /** The key to certify anew, PKCS #8 PEM, ECDSA P-256: renewal keeps the key, and so the public key hash. */
  readonly keyPem?: string;
  readonly validityMs?: number;
}

const dayMs = 86_400_000;
/** The other side's clock may be behind ours: valid a day ago already (mission C1). */
const clockSkewMs = dayMs;
/** Long enough that a house that is switched on once a year still knows its friends, short enough that renewal is a habit. */
export const certificateValidityMs = 730 * dayMs;
/** A certificate that ends within this time is renewed at the next start or daily check. */
export const renewBeforeExpiryMs = 60 * dayMs;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Makes an ECDSA P-256 key and a self-signed certificate for a person: CN and rfc822Name are the e-mail. */
export function createIdentity(email: Email, options: CreateOptions = {}): Promise<KeyAndCertificate> {
  // Built by value, not by text: an e-mail may hold characters that a DN string would read as syntax.
  const subject = [{ CN: [email] }];
  return certify(subject, new SubjectAlternativeNameExtension([{ type: 'email', value: email }]), options);
}

/**
 * Makes the relay's own certificate; its names are for people, clients compare the fingerprint.
 *
 * @param hosts host names and IP addresses that it is reached at; what is neither is left out.
 */
export function createServerCertificate(
  hosts: readonly string[],
  options: CreateOptions = {},
): Promise<KeyAndCertificate> {
  const names = hosts.flatMap(alternativeNameOf);
  return certify([{ CN: ['flashback relay'] }], new SubjectAlternativeNameExtension(names), options);
}

/** RFC 5280 §4.2.1.6: an address is no dNSName, and a dNSName is ASCII. */
function alternativeNameOf(host: string): { type: 'ip' | 'dns'; value: string }[] {
  if (isIP(host) !== 0) return [{ type: 'ip', value: host }];
  const value = domainToASCII(host);
  return value === '' ? [] : [{ type: 'dns', value }];
}

async function certify(
  name: { CN: string[] }[],
  alternativeName: Extension,
  options: CreateOptions,
): Promise<KeyAndCertificate> {
  const { nowMs = Date.now(), validityMs = certificateValidityMs } = options;
  const keys = options.keyPem === undefined ? await generateKeys() : await importKeys(options.keyPem);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    signingAlgorithm: algorithm,
    // RFC 5280 §4.1.2.2: positive, at most 20 octets.
    serialNumber: `4${randomBytes(15).toString('hex')}`.padEnd(32, '0'),
    notBefore: new Date(nowMs - clockSkewMs),
    notAfter: new Date(nowMs + validityMs),
    extensions: [
      alternativeName,
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth]),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return {
    keyPem: pem('PRIVATE KEY', pkcs8),
    certificatePem: pem('CERTIFICATE', Buffer.from(certificate.rawData)),
  };
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function importKeys(keyPem: string): Promise<webcrypto.CryptoKeyPair> {
  const privateKey = createPrivateKey(keyPem);
  const privateDer = privateKey.export({ type: 'pkcs8', format: 'der' });
  const publicDer = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return {
    privateKey: await webcrypto.subtle.importKey('pkcs8', privateDer, algorithm, true, ['sign']),
    publicKey: await webcrypto.subtle.importKey('spki', publicDer, algorithm, true, ['verify']),
  };
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
