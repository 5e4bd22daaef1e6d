import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServerCertificate } from '../../identity/create-identity.ts';
import { testAuthority } from '../../identity/testing/certificate-authority.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { ownServerCertificate, readServerCertificate } from './server-certificate.ts';

test('the relay’s own certificate is made once, kept for the owner alone, and lives long', async () => {
  await using folder = await temporaryFolder();
  const made = await ownServerCertificate(folder.path, ['relay.example', '203.0.113.9']);
  assert.equal(made.isSelfSigned, true);
  const certificate = new X509Certificate(made.certificatePem);
  assert.equal(certificate.subjectAltName, 'DNS:relay.example, IP Address:203.0.113.9');
  assert.ok(certificate.validToDate.getTime() - Date.now() > 19 * 365 * 86_400_000);
  assert.deepEqual(await ownServerCertificate(folder.path, ['other.example']), made);
  if (process.platform === 'win32') return;
  for (const name of ['relay.key', 'relay.crt'])
    assert.equal((await stat(join(folder.path, name))).mode & 0o777, 0o600, name);
});

test('a start that was cut short before the certificate was written makes another', async () => {
  await using folder = await temporaryFolder();
  await ownServerCertificate(folder.path, ['localhost']);
  await rm(join(folder.path, 'relay.crt'));
  const made = await ownServerCertificate(folder.path, ['localhost']);
  assert.equal(made.keyPem, await readFile(join(folder.path, 'relay.key'), 'utf8'));
});

test('a certificate that clients have pinned is never replaced because its key is missing', async () => {
  await using folder = await temporaryFolder();
  const made = await ownServerCertificate(folder.path, ['localhost']);
  await rm(join(folder.path, 'relay.key'));
  await assert.rejects(ownServerCertificate(folder.path, ['localhost']), /Cannot read .*relay\.key/);
  assert.equal(await readFile(join(folder.path, 'relay.crt'), 'utf8'), made.certificatePem);
});

test('files that cannot be used are named, with what is wrong', async () => {
  await using folder = await temporaryFolder();
  const [crt, key] = [join(folder.path, 'a.crt'), join(folder.path, 'a.key')];
  const [one, other] = await Promise.all([createServerCertificate(['a']), createServerCertificate(['b'])]);
  const read = () => readServerCertificate(crt, key);
  await assert.rejects(read(), /ENOENT.*a\.crt/);
  await writeFile(crt, one.certificatePem);
  await assert.rejects(read(), /ENOENT.*a\.key/);
  await writeFile(key, 'no key');
  await assert.rejects(read(), /key in .*a\.key: it is not a PEM private key/);
  await writeFile(key, other.keyPem);
  await assert.rejects(read(), /a\.crt and the key .*a\.key do not belong together/);
  await writeFile(crt, 'no certificate');
  await assert.rejects(read(), /certificate in .*a\.crt: it is not a PEM certificate/);
});

test('a certificate that an authority signed needs no pin, with its chain behind it or without', async () => {
  await using folder = await temporaryFolder();
  const [crt, key] = [join(folder.path, 'full.pem'), join(folder.path, 'key.pem')];
  const authority = await testAuthority();
  const issued = await authority.issue('relay.example');
  await writeFile(key, issued.keyPem);
  for (const chain of [issued.certificatePem, issued.certificatePem + authority.certificatePem]) {
    await writeFile(crt, chain);
    const read = await readServerCertificate(crt, key);
    assert.equal(read.isSelfSigned, false);
    assert.equal(read.certificatePem, chain);
  }
});
