import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { type CertificateClaims, CertificateError, checkValidity, readCertificate } from './certificate.ts';
import { createIdentity, type KeyAndCertificate } from './create-identity.ts';
import { opensslIdentity, opensslObstacle } from './testing/openssl.ts';

function problemOf(source: string | Uint8Array): CertificateError {
  try {
    readCertificate(source);
  } catch (error) {
    assert.ok(error instanceof CertificateError, String(error));
    return error;
  }
  throw new Error('the certificate was accepted');
}

describe('readCertificate of a certificate that this program made', () => {
  let parts: KeyAndCertificate;
  let claims: CertificateClaims;
  before(async () => {
    parts = await createIdentity('me@example.com');
    claims = readCertificate(parts.certificatePem);
  });

  test('gives e-mail, fingerprint as OpenSSL prints it, and validity', () => {
    const certificate = new X509Certificate(parts.certificatePem);
    assert.equal(claims.email, 'me@example.com');
    assert.equal(claims.fingerprint, certificate.fingerprint256.replaceAll(':', '').toLowerCase());
    assert.equal(claims.notBeforeMs, Date.parse(certificate.validFrom));
    assert.equal(claims.notAfterMs, Date.parse(certificate.validTo));
  });

  test('gives the same from DER, from PEM with Windows line ends, and from PEM with text around it', () => {
    const pem = parts.certificatePem;
    for (const source of [
      new X509Certificate(pem).raw,
      pem.replaceAll('\n', '\r\n'),
      `Bag Attributes\n    friendlyName: me\n${pem}\nthe end\n`,
      `\ufeff${pem}`,
      `${parts.keyPem}${pem}`,
    ])
      assert.deepEqual(readCertificate(source), claims);
  });

  test('keeps nothing of what stood around it', () => {
    const surrounded = readCertificate(`<script>\n${parts.certificatePem}\r\nSet-Cookie: a=b\n`);
    assert.equal(surrounded.pem, claims.pem);
    assert.match(
      surrounded.pem,
      /^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n$/,
    );
  });

  test('refuses two certificates, under whichever label the second hides', () => {
    for (const label of ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE']) {
      const other = parts.certificatePem.replaceAll('CERTIFICATE', label);
      for (const both of [parts.certificatePem + other, other + parts.certificatePem]) {
        const { code, message } = problemOf(both);
        assert.equal(code, 'malformed');
        assert.equal(message, 'certificate must be PEM with exactly one certificate');
      }
    }
  });

  test('refuses what is no certificate', () => {
    const pem = parts.certificatePem;
    for (const text of [
      '',
      'hello',
      parts.keyPem,
      pem.replaceAll('CERTIFICATE', 'CERTIFICATE REQUEST'),
      pem.replaceAll('-----', '----'),
      '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    ])
      assert.equal(problemOf(text).code, 'malformed', JSON.stringify(text.slice(0, 40)));
  });

  test('refuses DER that ends at any byte before its last', () => {
    const der = new X509Certificate(parts.certificatePem).raw;
    for (let length = 0; length < der.length; length += 1)
      assert.equal(problemOf(der.subarray(0, length)).code, 'malformed', `${length} bytes`);
  });

  test('refuses PEM that ends at any character before its end mark is whole', () => {
    const pem = parts.certificatePem.trimEnd();
    for (let length = 0; length < pem.length; length += 1)
      assert.equal(problemOf(pem.slice(0, length)).code, 'malformed', `${length} characters`);
  });

  test('of any altered byte either refuses it or reads times that can be compared', () => {
    const der = new X509Certificate(parts.certificatePem).raw;
    for (let at = 0; at < der.length; at += 1) {
      for (const mask of [0x01, 0x20, 0x80, 0xff]) {
        const altered = Buffer.from(der);
        altered[at] = (altered[at] ?? 0) ^ mask;
        try {
          const read = readCertificate(altered);
          assert.ok(Number.isFinite(read.notBeforeMs) && Number.isFinite(read.notAfterMs));
          assert.notEqual(read.fingerprint, claims.fingerprint);
        } catch (error) {
          assert.ok(error instanceof CertificateError, `byte ${at}: ${String(error)}`);
        }
      }
    }
  });

  test('refuses a validity that nobody can read: it would never expire', () => {
    const der = new X509Certificate(parts.certificatePem).raw;
    // UTCTime, 13 bytes: YYMMDDHHMMSSZ; the second one of the two ends the validity.
    const at = der.indexOf(Buffer.from([0x17, 0x0d]), der.indexOf(Buffer.from([0x17, 0x0d])) + 1) + 2;
    const altered = Buffer.from(der);
    altered.write('99', at + 2, 'latin1');
    const { code, message } = problemOf(altered);
    assert.equal(code, 'malformed');
    assert.equal(message, 'certificate holds a validity that cannot be read');
  });
});

describe('readCertificate of certificates made with openssl', { skip: opensslObstacle }, () => {
  const accepted: readonly (readonly [string, readonly string[]])[] = [
    ['RSA 2048', ['-newkey', 'rsa:2048']],
    ['RSA 4096', ['-newkey', 'rsa:4096']],
    ['P-256', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
    ['Ed25519', ['-newkey', 'ed25519']],
  ];
  for (const [name, newKey] of accepted) {
    test(`accepts ${name}`, async () => {
      const parts = await opensslIdentity('/CN=me@example.com', newKey);
      assert.equal(readCertificate(parts.certificatePem).email, 'me@example.com');
    });
  }

  const weak: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['RSA 1024', ['-newkey', 'rsa:1024'], /RSA key of 1024 bits, expected 2048 to 8192/],
    [
      'P-521',
      ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521'],
      /curve secp521r1, expected P-256 or P-384/,
    ],
    ['secp256k1', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'], /curve secp256k1/],
    [
      'RSA-PSS',
      ['-newkey', 'rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048'],
      /must have an ECDSA, RSA or Ed25519 key/,
    ],
    ['Ed448', ['-newkey', 'ed448'], /must have an ECDSA, RSA or Ed25519 key/],
  ];
  for (const [name, newKey, message] of weak) {
    test(`refuses ${name}`, async () => {
      const problem = problemOf((await opensslIdentity('/CN=me@example.com', newKey)).certificatePem);
      assert.match(problem.message, message);
      assert.equal(problem.code, 'weak-key');
    });
  }

  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const subjects: readonly (readonly [string, string, string | RegExp])[] = [
    ['CN in upper case', '/CN=Me@EXAMPLE.com', 'me@example.com'],
    [
      'CN among other names',
      '/C=DE/O=Home/CN=me@example.com/emailAddress=other@example.com',
      'me@example.com',
    ],
    ['CN with a plus sign and an apostrophe', "/CN=o'neil\\+home@example.com", "o'neil+home@example.com"],
    ['two CNs', '/CN=a@example.com/CN=b@example.com', /must have exactly one CN/],
    ['no CN', '/O=Home', /must have exactly one CN/],
    ['no CN but an e-mail elsewhere', '/emailAddress=me@example.com', /must have exactly one CN/],
    [
      'CN that is no e-mail',
      '/CN=relay.example.com',
      /CN is not an e-mail: email is not of the form name@host/,
    ],
    ['CN that is not ASCII', '/CN=mé@example.com', /CN is not an e-mail: email may hold printable ASCII/],
  ];
  for (const [name, subject, expected] of subjects) {
    test(`${typeof expected === 'string' ? 'reads' : 'refuses'} a ${name}`, async () => {
      const { certificatePem } = await opensslIdentity(subject, ec, ['-utf8']);
      if (typeof expected === 'string') assert.equal(readCertificate(certificatePem).email, expected);
      else assert.match(problemOf(certificatePem).message, expected);
    });
  }

  test('refuses two CNs in one relative name', async () => {
    const parts = await opensslIdentity('/CN=a@example.com+CN=b@example.com', ec, ['-multivalue-rdn']);
    assert.match(problemOf(parts.certificatePem).message, /must have exactly one CN/);
  });
});

test('checkValidity is exact to the millisecond at both ends', () => {
  const claims = { notBeforeMs: 1000, notAfterMs: 2000 };
  checkValidity(claims, 1000);
  checkValidity(claims, 2000);
  const codeAt = (nowMs: number) => {
    try {
      checkValidity(claims, nowMs);
      return undefined;
    } catch (error) {
      return error instanceof CertificateError ? `${error.code}: ${error.message}` : String(error);
    }
  };
  assert.equal(
    codeAt(999),
    'not-yet-valid: certificate is not valid before 1970-01-01T00:00:01.000Z: check the clocks',
  );
  assert.equal(codeAt(2001), 'expired: certificate expired at 1970-01-01T00:00:02.000Z');
});
