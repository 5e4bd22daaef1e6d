import assert from 'node:assert/strict';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { openSqliteStore } from './sqlite-store.ts';
import { startSqliteThread } from './sqlite-thread.ts';
import { makeBroadcast, makeRegistration } from './testing/records.ts';
import { silentLog } from './testing/silent-log.ts';
import { makeSqliteFixture } from './testing/sqlite-fixture.ts';
import { storeContract } from './testing/store-contract.ts';
import { loadEverything, withCode } from './testing/store-fixture.ts';

storeContract('SQLite', makeSqliteFixture);

test('when the thread ends every call that waits is rejected, and so are later ones', async () => {
  await using fixture = await makeSqliteFixture();
  const threads: Worker[] = [];
  await using store = await openSqliteStore({ file: fixture.file, log: silentLog }, (task) => {
    const thread = startSqliteThread(task);
    threads.push(thread);
    return thread;
  });
  const registration = makeRegistration();
  await store.registerClient(registration);

  const inNextTurn = Promise.withResolvers<void>();
  const underWay = [
    store.putBroadcast(makeBroadcast(registration.clientId)),
    store.probe({ timeoutMs: 60_000 }),
    loadEverything(store),
  ];
  const settled = Promise.allSettled(underWay);
  // The batch leaves at the end of this turn, so that one more write is under way and one waits behind it.
  setImmediate(inNextTurn.resolve);
  await inNextTurn.promise;
  const waiting = assert.rejects(store.registerClient(makeRegistration()), withCode('store_failed'));
  await threads[0]?.terminate();

  await waiting;
  for (const result of await settled) {
    if (result.status === 'rejected') withCode('store_failed')(result.reason);
  }
  await assert.rejects(store.putBroadcast(makeBroadcast(registration.clientId)), withCode('store_failed'));
  await assert.rejects(store.probe({ timeoutMs: 60_000 }), withCode('store_failed'));
  await assert.rejects(store.backup(join(fixture.folder, 'copy')), withCode('store_failed'));
});

test('a write waits while somebody else writes to the database, and reading does not disturb it', async () => {
  await using fixture = await makeSqliteFixture();
  await using store = await fixture.open();
  const registration = makeRegistration();
  await store.registerClient(registration);
  const broadcast = makeBroadcast(registration.clientId);
  using operator = new DatabaseSync(fixture.file);
  operator.exec('BEGIN IMMEDIATE');

  const writing = store.putBroadcast(broadcast);
  await nextTurn();
  // The write is with its thread now, which has the time of all these to fail in.
  const count = operator.prepare('SELECT count(*) AS count FROM broadcasts');
  for (let reads = 0; reads < 10_000; reads++) assert.equal(count.get()?.['count'], 0);
  operator.exec('COMMIT');

  await writing;
  assert.equal(operator.prepare('SELECT count(*) AS count FROM broadcasts').get()?.['count'], 1);
});

test('the database can be read by its owner only, and so can its side files', async () => {
  await using fixture = await makeSqliteFixture();
  await using store = await fixture.open();
  await store.registerClient(makeRegistration());

  for (const name of ['relay.sqlite', 'relay.sqlite-wal', 'relay.sqlite-shm', 'relay.sqlite.lock']) {
    const { mode } = await stat(join(fixture.folder, name));
    assert.equal(mode & 0o077, 0, name);
  }
});

test('a place where no database can be is refused with the path and the reason', async () => {
  await using fixture = await makeSqliteFixture();
  await mkdir(fixture.file);

  await assert.rejects(fixture.open(), (error: Error) => {
    withCode('store_unavailable')(error);
    assert.ok(error.message.includes(fixture.file), error.message);
    return true;
  });
});
