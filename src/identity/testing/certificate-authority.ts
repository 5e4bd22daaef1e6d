import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { KeyAndCertificate } from '../create-identity.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 86_400_000;

export interface TestAuthority {
  readonly certificatePem: string;
  /** A certificate for a host name, or for an IP address. */
  issue(name: string, type?: 'dns' | 'ip'): Promise<KeyAndCertificate>;
}

/** A certificate authority of one test. */
export async function testAuthority(): Promise<TestAuthority> {
  const keys = await generateKeys();
  const validity = { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + dayMs) };
  const root = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=test authority',
    keys,
    signingAlgorithm: algorithm,
    serialNumber: '01',
    ...validity,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
    ],
  });
  return {
    certificatePem: `${root.toString('pem')}\n`,
    async issue(name, type = 'dns') {
      const leafKeys = await generateKeys();
      const leaf = await X509CertificateGenerator.create({
        subject: `CN=${name}`,
        issuer: root.subject,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        serialNumber: '02',
        ...validity,
        extensions: [new SubjectAlternativeNameExtension([{ type, value: name }])],
      });
      const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', leafKeys.privateKey));
      return {
        keyPem: `-----BEGIN PRIVATE KEY-----\n${key.toString('base64')}\n-----END PRIVATE KEY-----\n`,
        certificatePem: `${leaf.toString('pem')}\n`,
      };
    },
  };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}
