import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDatabase } from './sqlite-database.ts';
import { encodeBatch } from './sqlite-protocol.ts';
import { SqliteWriter } from './sqlite-writer.ts';
import { makeBroadcast, makeCertificate, makeRegistration, testNowMs } from './testing/records.ts';
import { makeSqliteFixture } from './testing/sqlite-fixture.ts';
import type { WriteOperation } from './write-operation.ts';

test('batches that hold a registration or a certificate are flushed to the disk, others are not', async () => {
  await using fixture = await makeSqliteFixture();
  const opened = openDatabase(fixture.file);
  using cleanup = new DisposableStack();
  cleanup.defer(opened.close);
  const writer = new SqliteWriter(opened.database);
  const registration = makeRegistration();
  const { clientId } = registration;
  const put: WriteOperation = { kind: 'put-broadcast', broadcast: makeBroadcast(clientId) };
  const [normal, full] = [1, 2];

  const batches: [WriteOperation[], number | undefined][] = [
    [[{ kind: 'register-client', registration }], full],
    [[put], normal],
    [[put, { kind: 'delete-broadcast', clientId }], normal],
    [[put, { kind: 'register-client', registration: makeRegistration() }, put], full],
    [[{ kind: 'delete-expired', nowMs: testNowMs }], normal],
    [
      [put, { kind: 'add-certificate', addition: { clientId, certificate: makeCertificate(), nowMs: 0 } }],
      full,
    ],
  ];
  for (const [batch, synchronous] of batches) {
    writer.applyBatch(encodeBatch(batch));
    assert.equal(
      opened.database.prepare('PRAGMA synchronous').get()?.['synchronous'],
      synchronous,
      batch.map((operation) => operation.kind).join(),
    );
  }
});

test('a batch for which there is no room fails as a whole, and the next one with room succeeds', async () => {
  await using fixture = await makeSqliteFixture();
  const opened = openDatabase(fixture.file);
  using cleanup = new DisposableStack();
  cleanup.defer(opened.close);
  const { database } = opened;
  const writer = new SqliteWriter(database);
  const registrations = Array.from({ length: 50 }, () => {
    const registration = makeRegistration();
    return { ...registration, certificate: { ...registration.certificate, pem: 'x'.repeat(8000) } };
  });
  const batch = encodeBatch(registrations.map((registration) => ({ kind: 'register-client', registration })));
  const countClients = () => database.prepare('SELECT count(*) AS count FROM clients').get()?.['count'];

  database.exec('PRAGMA max_page_count = 40');
  const full = writer.applyBatch(batch);
  assert.ok(full !== null && 'failed' in full, JSON.stringify(full));
  assert.equal(full.failed.code, 'store_unavailable');
  assert.match(full.failed.message, /full/);
  assert.equal(countClients(), 0);

  database.exec('PRAGMA max_page_count = 100000');
  const reply = writer.applyBatch(batch);
  assert.ok(reply !== null && 'outcomes' in reply);
  assert.equal(reply.outcomes.length, registrations.length);
  assert.equal(countClients(), registrations.length);
});
