import assert from 'node:assert/strict';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServerCertificate } from '../identity/create-identity.ts';
import { IdentityError, loadIdentity, saveIdentity } from '../identity/key-store.ts';
import { testIdentity } from '../identity/testing/test-identity.ts';
import { dataFolders } from '../util/platform/data-folder.ts';
import { temporaryFolder } from '../util/testing/temporary-folder.ts';
import { type InitialiseOptions, initialise, lookAtRelay } from './initialise.ts';
import { SettingsError } from './settings/settings-error.ts';
import { httpsServer } from './testing/https-server.ts';

test('the first run makes key, certificate and settings, for the owner alone', async () => {
  await using folder = await temporaryFolder();
  const home = join(folder.path, 'home');
  const result = await initialise(
    options(home, { email: 'Me@Example.com', relayTrackerUrl: 'https://relay:1' }),
  );
  assert.equal(result.email, 'me@example.com');
  assert.equal(result.isNew, true);
  assert.match(result.fingerprint, /^[0-9a-f]{64}$/);
  assert.equal(result.safetyWords.length, 8);
  const { claims } = await loadIdentity(join(home, 'identity'));
  assert.equal(claims.fingerprint, result.fingerprint);
  if (process.platform === 'win32') return;
  assert.deepEqual(await modes(home, ['.', 'identity']), [0o700, 0o700]);
  assert.deepEqual(
    await modes(home, ['identity/client.key', 'identity/client.crt', 'config.json']),
    [0o600, 0o600, 0o600],
  );
});

test('a second run keeps the identity and changes only what was chosen', async () => {
  await using home = await temporaryFolder();
  const first = await initialise(options(home.path, { email: 'me@example.com', policy: 'registered' }));
  const key = await readFile(join(home.path, 'identity', 'client.key'), 'utf8');
  const second = await initialise(options(home.path, { relayTrackerUrl: 'https://relay:1' }));
  assert.equal(second.isNew, false);
  assert.equal(second.fingerprint, first.fingerprint);
  assert.equal(await readFile(join(home.path, 'identity', 'client.key'), 'utf8'), key);
  assert.deepEqual(await config(home.path), {
    email: 'me@example.com',
    policy: 'registered',
    relayTrackerUrl: 'https://relay:1',
  });
});

test('an identity is never replaced by another person’s', async () => {
  await using home = await temporaryFolder();
  await initialise(options(home.path, { email: 'me@example.com' }));
  const before = await config(home.path);
  await assert.rejects(
    initialise(options(home.path, { email: 'you@example.com' })),
    (error) => error instanceof IdentityError && error.code === 'exists',
  );
  assert.deepEqual(await config(home.path), before);
});

test('without an e-mail nothing is made', async () => {
  await using home = await temporaryFolder();
  await assert.rejects(
    initialise(options(home.path, { relayTrackerUrl: 'https://relay:1' })),
    /give --email/,
  );
  await assert.rejects(stat(join(home.path, 'config.json')), { code: 'ENOENT' });
});

test('a choice that cannot be used leaves nothing behind', async () => {
  await using home = await temporaryFolder();
  await assert.rejects(
    initialise(options(home.path, { email: 'me@example.com', relayTrackerUrl: 'http://relay' })),
    SettingsError,
  );
  await assert.rejects(stat(join(home.path, 'identity')), { code: 'ENOENT' });
});

test('an identity that was brought along is taken as it is', async () => {
  await using home = await temporaryFolder();
  const keys = join(home.path, 'my-keys');
  const brought = await saveIdentity(keys, await testIdentity('me@example.com'));
  const result = await initialise(options(home.path, { certificatePath: keys }));
  assert.equal(result.isNew, false);
  assert.equal(result.email, 'me@example.com');
  assert.equal(result.fingerprint, brought.claims.fingerprint);
});

test('a key that a crash left without its certificate gets one', async () => {
  await using home = await temporaryFolder();
  await initialise(options(home.path, { email: 'me@example.com' }));
  const key = await readFile(join(home.path, 'identity', 'client.key'), 'utf8');
  await rm(join(home.path, 'identity', 'client.crt'));
  const result = await initialise(options(home.path, {}));
  assert.equal(result.isNew, true);
  assert.equal((await loadIdentity(join(home.path, 'identity'))).keyPem, key);
});

test('a house that is not there is told, and one that is no folder is refused', async () => {
  await using home = await temporaryFolder();
  const file = join(home.path, 'file');
  await writeFile(file, '');
  await mkdir(join(home.path, 'house'));
  const at = (fileRootDirectory: string): InitialiseOptions =>
    options(home.path, { email: 'me@example.com', fileRootDirectory });
  await assert.rejects(initialise(at(file)), /is not a folder/);
  assert.equal((await initialise(at(join(home.path, 'house')))).isHouseThere, true);
  assert.equal((await initialise(at(join(home.path, 'later')))).isHouseThere, false);
});

test('a look at a relay tells its own certificate from nobody at all', async () => {
  const certificate = await createServerCertificate(['localhost']);
  const signal = new AbortController().signal;
  let port: number;
  {
    await using server = await httpsServer(certificate, (_request, response) => response.end());
    port = server.port;
    const look = await lookAtRelay({ origin: `https://127.0.0.1:${port}`, host: '127.0.0.1', port }, signal);
    assert.equal(look.kind, 'self-signed');
    assert.deepEqual(server.requests, []);
  }
  const look = await lookAtRelay({ origin: `https://127.0.0.1:${port}`, host: '127.0.0.1', port }, signal);
  assert.equal(look.kind, 'unreachable');
});

function options(home: string, choices: InitialiseOptions['choices']): InitialiseOptions {
  return { folders: dataFolders({ FLASHBACK_HOME: home }), environment: {}, currentDirectory: home, choices };
}

async function config(home: string): Promise<unknown> {
  return JSON.parse(await readFile(join(home, 'config.json'), 'utf8'));
}

function modes(home: string, paths: readonly string[]): Promise<number[]> {
  return Promise.all(paths.map(async (path) => (await stat(join(home, path))).mode & 0o777));
}
