import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../util/testing/temporary-folder.ts';
import { CertificateError } from './certificate.ts';
import { createIdentity, renewBeforeExpiryMs } from './create-identity.ts';
import {
  checkIdentity,
  checkIdentityValidity,
  createIdentityIn,
  IdentityError,
  identityFiles,
  isKeyExposed,
  loadIdentity,
  renewedIdentity,
  saveIdentity,
} from './key-store.ts';
import { opensslIdentity, opensslObstacle } from './testing/openssl.ts';

const isWindows = process.platform === 'win32';
const dayMs = 86_400_000;
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

const isProblem = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof IdentityError || error instanceof CertificateError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

test('createIdentityIn makes an identity that loadIdentity reads, for the owner alone', async () => {
  await using folder = await temporaryFolder();
  const home = join(folder.path, 'data', 'identity');
  const made = await createIdentityIn(home, 'me@example.com');
  assert.equal(made.claims.email, 'me@example.com');
  assert.deepEqual(await loadIdentity(home), made);
  assert.deepEqual((await readdir(home)).sort(), ['client.crt', 'client.key']);
  if (isWindows) return;
  const files = identityFiles(home);
  assert.deepEqual(
    await Promise.all([home, files.key, files.certificate].map(modeOf)),
    [0o700, 0o600, 0o600],
  );
});

test('createIdentityIn never replaces an identity, nor half of one', async () => {
  for (const survivor of ['client.key', 'client.crt']) {
    await using folder = await temporaryFolder();
    await createIdentityIn(folder.path, 'me@example.com');
    for (const name of await readdir(folder.path)) if (name !== survivor) await rm(join(folder.path, name));
    const before = await readFile(join(folder.path, survivor), 'utf8');
    await assert.rejects(
      createIdentityIn(folder.path, 'other@example.com'),
      isProblem('exists', new RegExp(`${survivor} is there already`)),
    );
    assert.equal(await readFile(join(folder.path, survivor), 'utf8'), before);
    assert.deepEqual(await readdir(folder.path), [survivor]);
  }
});

test('of programs that make an identity at the same moment one wins, and its files belong together', async () => {
  await using folder = await temporaryFolder();
  const attempts = Array.from({ length: 8 }, (_, index) =>
    createIdentityIn(folder.path, `me${index}@example.com`),
  );
  const results = await Promise.allSettled(attempts);
  const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  assert.equal(winners.length, 1);
  assert.deepEqual(await loadIdentity(folder.path), winners[0]);
  for (const result of results)
    if (result.status === 'rejected') isProblem('exists', /is there already/)(result.reason);
});

test('saveIdentity replaces both files and leaves nothing beside them', async () => {
  await using folder = await temporaryFolder();
  await createIdentityIn(folder.path, 'me@example.com');
  const other = await saveIdentity(folder.path, await createIdentity('other@example.com'));
  assert.deepEqual(await loadIdentity(folder.path), other);
  assert.deepEqual((await readdir(folder.path)).sort(), ['client.crt', 'client.key']);
});

test('saveIdentity writes nothing that could not be loaded again', async () => {
  await using folder = await temporaryFolder();
  const [one, other] = [await createIdentity('me@example.com'), await createIdentity('me@example.com')];
  await assert.rejects(
    saveIdentity(folder.path, { keyPem: one.keyPem, certificatePem: other.certificatePem }),
    isProblem('mismatch', /do not belong together/),
  );
  assert.deepEqual(await readdir(folder.path), []);
});

test('loadIdentity says which file is missing and what to do', async () => {
  await using folder = await temporaryFolder();
  await createIdentityIn(folder.path, 'me@example.com');
  await rm(identityFiles(folder.path).certificate);
  await assert.rejects(
    loadIdentity(folder.path),
    isProblem('missing', /client\.crt does not exist. Run: flashback init/),
  );
  await assert.rejects(loadIdentity(join(folder.path, 'nowhere')), isProblem('missing', /client\.key/));
});

test('loadIdentity tells damage apart, and names the place', async () => {
  await using folder = await temporaryFolder();
  const files = identityFiles(folder.path);
  const here = new RegExp(folder.path.replaceAll('\\', '\\\\'));
  const parts = await createIdentity('me@example.com');
  await saveIdentity(folder.path, parts);
  await writeFile(files.key, parts.keyPem.slice(0, 80));
  await assert.rejects(
    loadIdentity(folder.path),
    isProblem('unreadable', /private key in .* cannot be read/),
  );
  await assert.rejects(loadIdentity(folder.path), isProblem('unreadable', here));
  await writeFile(files.key, parts.keyPem);
  await writeFile(files.certificate, parts.certificatePem.slice(0, 80));
  await assert.rejects(loadIdentity(folder.path), isProblem('malformed', here));
  await writeFile(files.certificate, (await createIdentity('me@example.com')).certificatePem);
  await assert.rejects(loadIdentity(folder.path), isProblem('mismatch', /do not belong together/));
  await rm(files.key);
  await assert.rejects(
    loadIdentity(join(files.certificate, 'inside')),
    isProblem('unreadable', /\(ENOTDIR\)/),
  );
});

test('a key behind a passphrase is refused with the way out', async () => {
  const { keyPem, certificatePem } = await createIdentity('me@example.com');
  const locked = createPrivateKey(keyPem).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'secret',
  });
  assert.throws(
    () => checkIdentity({ keyPem: locked, certificatePem }, 'here'),
    isProblem('unreadable', /protected by a passphrase.*openssl pkey/),
  );
});

test('isKeyExposed says when others may read the key', { skip: isWindows }, async () => {
  await using folder = await temporaryFolder();
  await createIdentityIn(folder.path, 'me@example.com');
  assert.equal(await isKeyExposed(folder.path), false);
  for (const mode of [0o640, 0o604, 0o644, 0o620]) {
    await chmod(identityFiles(folder.path).key, mode);
    assert.equal(await isKeyExposed(folder.path), true, mode.toString(8));
  }
  await chmod(identityFiles(folder.path).key, 0o400);
  assert.equal(await isKeyExposed(folder.path), false);
});

test('renewedIdentity keeps the key, and waits until the certificate ends within two months', async () => {
  const identity = checkIdentity(await createIdentity('me@example.com'), 'a test');
  const { notAfterMs } = identity.claims;
  assert.equal(await renewedIdentity(identity, notAfterMs - renewBeforeExpiryMs - 1000), undefined);
  const nowMs = notAfterMs - renewBeforeExpiryMs;
  const parts = await renewedIdentity(identity, nowMs);
  assert.ok(parts);
  const renewed = checkIdentity(parts, 'a test');
  assert.equal(renewed.claims.publicKeyHash, identity.claims.publicKeyHash);
  assert.notEqual(renewed.claims.fingerprint, identity.claims.fingerprint);
  assert.ok(renewed.claims.notAfterMs > notAfterMs);
  checkIdentityValidity(renewed, nowMs);
});

test('renewedIdentity renews one that has expired already', async () => {
  const identity = checkIdentity(await createIdentity('me@example.com', { validityMs: dayMs }), 'a test');
  const nowMs = identity.claims.notAfterMs + dayMs;
  assert.throws(() => checkIdentityValidity(identity, nowMs), isProblem('expired', /expired at/));
  const parts = await renewedIdentity(identity, nowMs);
  assert.ok(parts);
  checkIdentityValidity(checkIdentity(parts, 'a test'), nowMs);
});

test('keys that their owner brought are left to their owner', { skip: opensslObstacle }, async () => {
  const brought = checkIdentity(await opensslIdentity('/CN=me@example.com'), 'a test');
  assert.equal(await renewedIdentity(brought, brought.claims.notAfterMs), undefined);
});

test('an identity made with openssl loads, whatever format its key has', {
  skip: opensslObstacle,
}, async () => {
  await using folder = await temporaryFolder();
  const parts = await opensslIdentity('/CN=me@example.com');
  const pkcs1 = createPrivateKey(parts.keyPem).export({ type: 'pkcs1', format: 'pem' });
  const identity = await saveIdentity(folder.path, { ...parts, keyPem: pkcs1 });
  const { claims } = await loadIdentity(folder.path);
  assert.deepEqual(claims, identity.claims);
  assert.equal(claims.fingerprint, fingerprintByNode(parts.certificatePem));
});

function fingerprintByNode(pem: string): string {
  return new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
}
