import assert from 'node:assert/strict';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { backUpDatabase } from './sqlite-backup.ts';
import { openSqliteStore } from './sqlite-store.ts';
import type { Store } from './store.ts';
import { makeBroadcast, makeRegistration } from './testing/records.ts';
import { silentLog } from './testing/silent-log.ts';
import { makeSqliteFixture } from './testing/sqlite-fixture.ts';
import { loadEverything, withCode } from './testing/store-fixture.ts';

async function registerWithBroadcast(store: Store): Promise<string> {
  const registration = makeRegistration();
  await store.registerClient(registration);
  await store.putBroadcast(makeBroadcast(registration.clientId));
  return registration.clientId;
}

test('a backup made while the relay writes is a store of its own, with everything from before it', async () => {
  await using fixture = await makeSqliteFixture();
  await using store = await fixture.open();
  const before = await Promise.all(Array.from({ length: 2000 }, () => registerWithBroadcast(store)));
  const copy = join(fixture.folder, 'copy.sqlite');
  const end = new AbortController();
  const writing = Array.from({ length: 20 }, async () => {
    const clientIds: string[] = [];
    while (!end.signal.aborted) clientIds.push(await registerWithBroadcast(store));
    return clientIds;
  });

  await store.backup(copy);
  end.abort();
  const during = (await Promise.all(writing)).flat();

  assert.ok(during.length > 0, 'writing went on');
  await using restored = await openSqliteStore({ file: copy, log: silentLog });
  const stored = new Map((await loadEverything(restored)).map((client) => [client.client.clientId, client]));
  for (const clientId of before) {
    assert.equal(stored.get(clientId)?.certificates.length, 1);
    assert.ok(stored.get(clientId)?.broadcast);
  }
  await registerWithBroadcast(restored);
  const ids = new Set((await loadEverything(store)).map(({ client }) => client.clientId));
  for (const clientId of [...before, ...during]) assert.ok(ids.has(clientId));
});

test('a backup is private, whole, and leaves nothing else behind', async () => {
  await using fixture = await makeSqliteFixture();
  await using store = await fixture.open();
  const names = await readdir(fixture.folder);

  await store.backup(join(fixture.folder, 'copy.sqlite'));

  assert.deepEqual((await readdir(fixture.folder)).sort(), [...names, 'copy.sqlite'].sort());
  assert.equal((await stat(join(fixture.folder, 'copy.sqlite'))).mode & 0o077, 0);
});

test('a backup never replaces a file, and one that cannot be made leaves nothing behind', async () => {
  await using fixture = await makeSqliteFixture();
  await using store = await fixture.open();
  const taken = join(fixture.folder, 'taken');
  await writeFile(taken, 'precious');
  const names = await readdir(fixture.folder);

  await assert.rejects(store.backup(taken), withCode('store_backup_refused'));
  await assert.rejects(
    store.backup(join(fixture.folder, 'no such folder', 'copy')),
    withCode('store_backup_refused'),
  );
  await assert.rejects(
    backUpDatabase(join(fixture.folder, 'no such database'), join(fixture.folder, 'copy')),
    withCode('store_backup_refused'),
  );

  assert.deepEqual((await readdir(fixture.folder)).sort(), names.sort());
  assert.equal((await stat(taken)).size, 'precious'.length);
});

test('of two backups to one name made at once, one is made', async () => {
  await using fixture = await makeSqliteFixture();
  await using store = await fixture.open();
  const copy = join(fixture.folder, 'copy.sqlite');

  const results = await Promise.allSettled([store.backup(copy), store.backup(copy)]);

  assert.deepEqual(results.map((result) => result.status).sort(), ['fulfilled', 'rejected']);
  const refused = results.find((result) => result.status === 'rejected');
  withCode('store_backup_refused')(refused?.reason);
});
