import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../util/testing/temporary-folder.ts';
import { CommandError } from './command-error.ts';
import { type RelayFlags, readRelaySettings } from './relay-settings.ts';

function read(flags: RelayFlags, environment: NodeJS.ProcessEnv = {}): ReturnType<typeof readRelaySettings> {
  return readRelaySettings(flags, {
    environment,
    currentDirectory: '/work',
    dataFolderDefault: '/data/relay',
  });
}

test('a relay without settings listens on 3000 and keeps its data with the other data', () => {
  assert.deepEqual(read({}), {
    settings: { port: 3000, dataFolder: '/data/relay', logLevel: 'info' },
    warnings: [],
  });
});

test('a flag goes before the full variable, and that before the published bare name', () => {
  const bare = { PORT: '1' };
  const full = { ...bare, FLASHBACK_RELAY_PORT: '2' };
  assert.equal(read({}, bare).settings.port, 1);
  assert.equal(read({}, full).settings.port, 2);
  assert.equal(read({ port: '3' }, full).settings.port, 3);
  assert.equal(read({}, { PORT: '' }).settings.port, 3000);
});

test('the published bare names are read', () => {
  const { settings } = read(
    {},
    {
      PORT: '0',
      DATABASE_URL: 'postgres://relay:secret@db/relay',
      TLS_CERT_PATH: 'cert.pem',
      TLS_KEY_PATH: '/keys/key.pem',
      LOG_LEVEL: 'debug',
      RATE_LIMIT_MAX_REQUESTS: '7',
    },
  );
  assert.deepEqual(settings, {
    port: 0,
    dataFolder: '/data/relay',
    databaseUrl: 'postgres://relay:secret@db/relay',
    tlsCertFile: '/work/cert.pem',
    tlsKeyFile: '/keys/key.pem',
    addressPerMinute: 7,
    logLevel: 'debug',
  });
});

test('a database password in the command line works, with a warning; in the environment without', () => {
  const url = 'postgres://relay:secret@db/relay';
  assert.match(read({ databaseUrl: url }).warnings.join(), /every user of this machine can read it/);
  assert.doesNotMatch(read({ databaseUrl: url }).warnings.join(), /secret/);
  assert.deepEqual(read({}, { DATABASE_URL: url }).warnings, []);
  assert.deepEqual(read({ databaseUrl: 'postgres://relay@db/relay' }).warnings, []);
});

test('a database URL is read from a file', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'url');
  await writeFile(file, 'postgres://relay:secret@db/relay\n');
  assert.equal(read({ databaseUrlFile: file }).settings.databaseUrl, 'postgres://relay:secret@db/relay');
});

const refused: readonly (readonly [flags: RelayFlags, environment: NodeJS.ProcessEnv, message: RegExp])[] = [
  [{ port: '65536' }, {}, /^--port is "65536": allowed is a whole number from 0 to 65535$/],
  [{ port: '-1' }, {}, /--port/],
  [{ port: '1.5' }, {}, /--port/],
  [{ port: '0x10' }, {}, /--port/],
  [{}, { PORT: 'http' }, /^PORT is "http"/],
  [{ broadcastLifetime: '0' }, {}, /--broadcast-lifetime is "0": allowed is a number of seconds above 0/],
  [{ cleanupInterval: '1e3' }, {}, /--cleanup-interval/],
  [{ logLevel: 'loud' }, {}, /--log-level is "loud": allowed is fatal, error/],
  [{ tlsCert: 'a.pem' }, {}, /give both --tls-cert and --tls-key/],
  [{ rateLimit: '0' }, {}, /--rate-limit/],
  [{ databaseUrlFile: '/nonexistent/url' }, {}, /Cannot read the database URL from \/nonexistent\/url/],
];

for (const [flags, environment, message] of refused)
  test(`${JSON.stringify({ ...flags, ...environment })} is wrong usage`, () =>
    assert.throws(
      () => read(flags, environment),
      (error) => error instanceof CommandError && error.code === 'usage' && message.test(error.message),
    ));

test('a database URL that cannot be used is not repeated: it may hold a password', () => {
  assert.throws(
    () => read({}, { DATABASE_URL: 'mysql://relay:secret@db/relay' }),
    (error) =>
      error instanceof CommandError && /DATABASE_URL/.test(error.message) && !/secret/.test(error.message),
  );
});
