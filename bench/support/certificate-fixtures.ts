import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A self-signed ECDSA P-256 certificate with its key, as a peer or a server holds it. */
export interface CertificateFixture {
  readonly certificatePem: string;
  readonly keyPem: string;
  /** SHA-256 of the DER, 64 lower-case hex digits. */
  readonly fingerprint: string;
}

/** One client of the load: an identity, and an address of its own on loopback to come from. */
export interface Person extends CertificateFixture {
  readonly email: string;
  /** In 127.0.0.0/8, which Linux takes whole as its own, so that limits per address see as many clients as there are. */
  readonly sourceAddress: string;
}

/**
 * Makes `count` people, at most 65,536, with keys of their own.
 *
 * The certificates are encoded here rather than by `src/identity` because some questions need 10,000 of them
 * before the first round: this takes about 0.1 ms each.
 */
export function createPeople(count: number, prefix = 'peer'): readonly Person[] {
  return Array.from({ length: count }, (_, index) => {
    const email = `${prefix}${String(index).padStart(5, '0')}@example.com`;
    const sourceAddress = `127.64.${index >> 8}.${index & 0xff}`;
    return { email, sourceAddress, ...createCertificate(email) };
  });
}

/** Makes a certificate whose CN is `commonName`; one with an `@` is an e-mail and goes into the SAN as rfc822Name. */
export function createCertificate(commonName: string): CertificateFixture {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = encodeCertificate(commonName, publicKey, privateKey);
  return {
    certificatePem: `-----BEGIN CERTIFICATE-----\n${wrap(der.toString('base64'))}\n-----END CERTIFICATE-----\n`,
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    fingerprint: createHash('sha256').update(der).digest('hex'),
  };
}

const dayMs = 86_400_000;

/** DER tags (X.690 §8) of what a certificate is made of. */
const tag = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
  explicitVersion: 0xa0,
  explicitExtensions: 0xa3,
  rfc822Name: 0x81,
  dnsName: 0x82,
};

/** Object identifiers, already encoded: ecdsa-with-SHA256, id-at-commonName, id-ce-subjectAltName. */
const ecdsaWithSha256 = Buffer.from('2a8648ce3d040302', 'hex');
const commonNameType = Buffer.from('550403', 'hex');
const subjectAltName = Buffer.from('551d11', 'hex');

/** RFC 5280 §4.1. */
function encodeCertificate(commonName: string, publicKey: KeyObject, privateKey: KeyObject): Buffer {
  const algorithm = encode(tag.sequence, encode(tag.objectIdentifier, ecdsaWithSha256));
  const name = encode(
    tag.sequence,
    encode(
      tag.set,
      encode(
        tag.sequence,
        encode(tag.objectIdentifier, commonNameType),
        encode(tag.utf8String, Buffer.from(commonName)),
      ),
    ),
  );
  const nowMs = Date.now();
  const alternativeTag = commonName.includes('@') ? tag.rfc822Name : tag.dnsName;
  const alternativeName = encode(tag.sequence, encode(alternativeTag, Buffer.from(commonName)));
  const toBeSigned = encode(
    tag.sequence,
    encode(tag.explicitVersion, encode(tag.integer, Buffer.from([2]))),
    encode(tag.integer, createSerialNumber()),
    algorithm,
    name,
    encode(tag.sequence, encodeTime(nowMs - dayMs), encodeTime(nowMs + 365 * dayMs)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    encode(
      tag.explicitExtensions,
      encode(
        tag.sequence,
        encode(
          tag.sequence,
          encode(tag.objectIdentifier, subjectAltName),
          encode(tag.octetString, alternativeName),
        ),
      ),
    ),
  );
  const signature = sign('sha256', toBeSigned, privateKey);
  return encode(
    tag.sequence,
    toBeSigned,
    algorithm,
    encode(tag.bitString, Buffer.concat([Buffer.from([0]), signature])),
  );
}

/** 16 bytes, positive and without a leading zero as DER wants it. */
function createSerialNumber(): Buffer {
  const serialNumber = randomBytes(16);
  serialNumber[0] = ((serialNumber[0] ?? 0) & 0x7f) | 0x40;
  return serialNumber;
}

function encodeTime(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14);
  return encode(tag.utcTime, Buffer.from(`${text}Z`));
}

function encode(tagByte: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tagByte, length]), content]);
  if (length < 0x100) return Buffer.concat([Buffer.from([tagByte, 0x81, length]), content]);
  return Buffer.concat([Buffer.from([tagByte, 0x82, length >> 8, length & 0xff]), content]);
}

function wrap(base64: string): string {
  return base64.replaceAll(/.{64}(?=.)/g, '$&\n');
}
