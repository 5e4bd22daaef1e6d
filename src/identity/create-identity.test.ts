import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { emailCharactersMax } from '../wire/email.ts';
import { readCertificate } from './certificate.ts';
import { certificateValidityMs, createIdentity, createServerCertificate } from './create-identity.ts';

const dayMs = 86_400_000;
const nowMs = Date.UTC(2026, 5, 1);

test('createIdentity certifies a P-256 key for the e-mail, in CN and as rfc822Name', async () => {
  const { keyPem, certificatePem } = await createIdentity('me@example.com', { nowMs });
  const certificate = new X509Certificate(certificatePem);
  assert.equal(certificate.subject, 'CN=me@example.com');
  assert.equal(certificate.issuer, 'CN=me@example.com');
  assert.equal(certificate.subjectAltName, 'email:me@example.com');
  assert.equal(certificate.ca, false);
  assert.equal(certificate.verify(certificate.publicKey), true);
  assert.equal(certificate.checkPrivateKey(createPrivateKey(keyPem)), true);
  assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.match(keyPem, /^-----BEGIN PRIVATE KEY-----\n/);
  // People put files together with cat: each ends its last line.
  for (const pem of [keyPem, certificatePem]) assert.match(pem, /-----END [A-Z ]+-----\n$/);
});

test('createIdentity is valid from a day back, against clocks that are behind, for two years', async () => {
  const claims = readCertificate((await createIdentity('me@example.com', { nowMs })).certificatePem);
  assert.equal(claims.notBeforeMs, nowMs - dayMs);
  assert.equal(claims.notAfterMs, nowMs + certificateValidityMs);
});

test('createIdentity takes every e-mail there is: 254 characters, and characters that names use as syntax', async () => {
  const longest = `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
  assert.equal(longest.length, emailCharactersMax);
  for (const email of [longest, "o'neil+a=b/c#d@example.com", '{x}|~`^?*&%$!@example.com', 'a@b'])
    assert.equal(readCertificate((await createIdentity(email)).certificatePem).email, email);
});

test('createIdentity gives each certificate a positive serial number of its own', async () => {
  const serials = new Set<string>();
  for (let round = 0; round < 20; round += 1) {
    const { serialNumber } = new X509Certificate((await createIdentity('a@b')).certificatePem);
    assert.match(serialNumber, /^4[0-9A-F]{31}$/);
    serials.add(serialNumber);
  }
  assert.equal(serials.size, 20);
});

test('createIdentity with the key of another keeps the public key, and makes another certificate', async () => {
  const first = await createIdentity('me@example.com');
  const renewed = await createIdentity('me@example.com', { keyPem: first.keyPem });
  const [before, after] = [readCertificate(first.certificatePem), readCertificate(renewed.certificatePem)];
  assert.equal(after.publicKeyHash, before.publicKeyHash);
  assert.notEqual(after.fingerprint, before.fingerprint);
  assert.equal(renewed.keyPem, first.keyPem);
});

test('createIdentity with a key of another kind is refused', async () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  await assert.rejects(
    createIdentity('a@b', { keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) }),
  );
});

test('createServerCertificate names host names and addresses as what they are', async () => {
  const hosts = ['relay.example', '203.0.113.9', '2001:db8::1', 'bücher.example', 'not a name', ''];
  const { certificatePem } = await createServerCertificate(hosts);
  const certificate = new X509Certificate(certificatePem);
  assert.equal(
    certificate.subjectAltName,
    'DNS:relay.example, IP Address:203.0.113.9, IP Address:2001:DB8:0:0:0:0:0:1, DNS:xn--bcher-kva.example',
  );
  assert.equal(certificate.checkHost('relay.example'), 'relay.example');
  assert.equal(certificate.checkIP('2001:db8::1'), '2001:db8::1');
});
