import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { pinOf } from './known-peers.ts';
import { StateError } from './state-error.ts';
import { StateStore, stateFileName } from './state-store.ts';

const isProblem = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof StateError && error.code === code && message.test(error.message);

test('the state survives a restart', async () => {
  await using folder = await temporaryFolder();
  const { claims } = await testIdentity('bob@example.com');
  {
    using state = StateStore.open(folder.path);
    state.peers.pin(claims.email, pinOf(claims), 'relay', 1000);
    state.peers.makeFriend(claims.email, 2000);
    state.addresses.put(claims.email, '192.168.1.5', 4711, 3000);
  }
  using state = StateStore.open(folder.path);
  assert.deepEqual(state.peers.friends(), [
    {
      email: 'bob@example.com',
      ...pinOf(claims),
      origin: 'relay',
      pinnedAtMs: 1000,
      friendSinceMs: 2000,
    },
  ]);
  assert.deepEqual(state.addresses.get(claims.email), {
    host: '192.168.1.5',
    port: 4711,
    verifiedAtMs: 3000,
  });
});

test('only the owner may read the state', { skip: process.platform === 'win32' }, async () => {
  await using folder = await temporaryFolder();
  using _state = StateStore.open(folder.path);
  for (const name of [stateFileName, `${stateFileName}-wal`, 'daemon.pid'])
    assert.equal((await stat(join(folder.path, name))).mode & 0o777, 0o600, name);
});

test('a second daemon in the same data folder is refused and told the process id of the first', async () => {
  await using folder = await temporaryFolder();
  using _state = StateStore.open(folder.path);
  assert.throws(
    () => StateStore.open(folder.path),
    isProblem(
      'in_use',
      new RegExp(`Another Flashback daemon \\(process ${process.pid}\\) uses the data folder`),
    ),
  );
});

test('the lock of a daemon in another process holds until it is killed, and no longer', async () => {
  await using folder = await temporaryFolder();
  const module = new URL('state-store.ts', import.meta.url).href;
  const script = `const { StateStore } = await import(${JSON.stringify(module)});
    globalThis.state = StateStore.open(process.argv[1]); console.log('open'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  assert.throws(
    () => StateStore.open(folder.path),
    isProblem('in_use', new RegExp(`\\(process ${child.pid}\\)`)),
  );
  child.kill('SIGKILL');
  await once(child, 'exit');
  using state = StateStore.open(folder.path);
  assert.deepEqual(state.peers.friends(), []);
});

test('a state that a newer version wrote is refused and left as it is', async () => {
  await using folder = await temporaryFolder();
  StateStore.open(folder.path)[Symbol.dispose]();
  const database = new DatabaseSync(join(folder.path, stateFileName));
  database.exec('PRAGMA user_version = 4711');
  database.close();
  const open = () => StateStore.open(folder.path);
  assert.throws(
    open,
    isProblem('newer_schema', /a newer Flashback wrote it \(schema 4711, this one knows \d+\)/),
  );
  // Still the same refusal, not a lock that was left behind.
  assert.throws(open, isProblem('newer_schema', /4711/));
});

test('a damaged state is refused with its path', async () => {
  await using folder = await temporaryFolder();
  await writeFile(
    join(folder.path, stateFileName),
    'this is no database, however long one looks at it'.repeat(100),
  );
  assert.throws(
    () => StateStore.open(folder.path),
    isProblem('unreadable', /state\.sqlite: file is not a database/),
  );
});

test('a transaction that throws changes nothing', async () => {
  await using folder = await temporaryFolder();
  using state = StateStore.open(folder.path);
  const { claims } = await testIdentity('bob@example.com');
  assert.throws(
    () =>
      state.transaction(() => {
        state.peers.pin(claims.email, pinOf(claims), 'relay', 1);
        throw new Error('half way');
      }),
    /half way/,
  );
  assert.equal(state.peers.get(claims.email), undefined);
});
