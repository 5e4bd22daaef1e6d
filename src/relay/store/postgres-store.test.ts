import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  openTestPostgres,
  startEmbeddedPostgres,
  type TestPostgres,
} from '../../../test/support/postgres.ts';
import { openPostgresStore } from './postgres-store.ts';
import { openAnswerCutter } from './testing/answer-cutter.ts';
import { makePostgresFixture } from './testing/postgres-fixture.ts';
import { makeBroadcast, makeCertificate, makeRegistration, testNowMs } from './testing/records.ts';
import { silentLog } from './testing/silent-log.ts';
import { storeContract } from './testing/store-contract.ts';
import { loadClient, loadEverything, withCode } from './testing/store-fixture.ts';

let postgres: TestPostgres;

before(async () => {
  postgres = await openTestPostgres();
});

after(() => postgres[Symbol.asyncDispose]());

storeContract('PostgreSQL', () => makePostgresFixture(postgres));

test('of registrations of one e-mail through several relays exactly one wins', async () => {
  await using fixture = await makePostgresFixture(postgres);
  await using cleanup = new AsyncDisposableStack();
  const stores = await Promise.all(Array.from({ length: 4 }, async () => cleanup.use(await fixture.open())));
  const contested = Array.from({ length: 50 }, (_, n) => ({
    email: `${n}@example.com`,
    certificate: makeCertificate(),
  }));

  // Each relay has them in another order, with certificates that are contested in the opposite order.
  const results = await Promise.all(
    stores.flatMap((store, turn) => {
      const order = contested.map((_, n) => contested[(n * (2 * turn + 1)) % contested.length]);
      return order.flatMap((pick) => {
        if (pick === undefined) return [];
        const own = makeRegistration({ email: pick.email });
        const other = makeRegistration({ certificate: pick.certificate });
        return [store.registerClient(own), store.registerClient(other)];
      });
    }),
  );

  const everything = await loadEverything(stores[0] ?? assert.fail());
  assert.equal(results.filter((result) => result.kind === 'registered').length, everything.length);
  const emails = everything.map(({ client }) => client.email).filter((email) => /^\d+@/.test(email));
  assert.deepEqual(emails.sort(), contested.map(({ email }) => email).sort());
  const fingerprints = everything.flatMap(({ certificates }) =>
    certificates.map(({ fingerprint }) => fingerprint),
  );
  assert.equal(new Set(fingerprints).size, everything.length);
  for (const { certificate } of contested) assert.ok(fingerprints.includes(certificate.fingerprint));
});

test('relays that write, withdraw and expire the same broadcasts do not stand in each other’s way', async () => {
  await using fixture = await makePostgresFixture(postgres);
  await using cleanup = new AsyncDisposableStack();
  const stores = await Promise.all(Array.from({ length: 3 }, async () => cleanup.use(await fixture.open())));
  const registrations = Array.from({ length: 200 }, () => makeRegistration());
  const [first = assert.fail()] = stores;
  await Promise.all(registrations.map((registration) => first.registerClient(registration)));

  for (let round = 0; round < 10; round++) {
    await Promise.all(
      stores.flatMap((store, turn) => [
        ...registrations.map(({ clientId }, index) =>
          (index + turn) % 5 === 0
            ? store.deleteBroadcast(clientId)
            : store.putBroadcast(makeBroadcast(clientId, { expiresAtMs: testNowMs + ((index + round) % 2) })),
        ),
        store.deleteExpiredBroadcasts(testNowMs),
      ]),
    );
  }

  const last = makeBroadcast(registrations[0]?.clientId ?? '');
  await stores[1]?.putBroadcast(last);
  assert.deepEqual((await loadClient(stores[2] ?? assert.fail(), last.clientId)).broadcast, last);
});

test('a registration whose answer was lost is made once and reported as made', async () => {
  await using fixture = await makePostgresFixture(postgres);
  await using cutter = await openAnswerCutter(fixture.url);
  await using store = await openPostgresStore({ databaseUrl: cutter.url, log: silentLog });
  const registration = makeRegistration();
  const { clientId } = registration;

  cutter.cutNextCommit();
  const result = await store.registerClient(registration);

  assert.equal(cutter.cuts, 1);
  assert.deepEqual(result, { kind: 'registered', clientId });
  assert.deepEqual(await store.registerClient(registration), { kind: 'already', clientId });
  assert.equal((await loadEverything(store)).length, 1);
});

test('a statement that the server cannot finish in time fails its batch, and the store goes on', async () => {
  await using fixture = await makePostgresFixture(postgres);
  await using store = await openPostgresStore({
    databaseUrl: fixture.url,
    log: silentLog,
    statementTimeoutMs: 200,
  });
  const registration = makeRegistration();
  await store.registerClient(registration);
  const broadcast = makeBroadcast(registration.clientId);

  await fixture.whileRunning('LOCK TABLE broadcasts', async () => {
    await assert.rejects(store.putBroadcast(broadcast), withCode('store_unavailable'));
    await store.probe({ timeoutMs: 10_000 });
  });

  await store.putBroadcast(broadcast);
  assert.deepEqual((await loadClient(store, broadcast.clientId)).broadcast, broadcast);
});

test('calls made while the server restarts are answered after it, and fail when it stays away', async () => {
  await using server = await startEmbeddedPostgres();
  await using fixture = await makePostgresFixture(server);
  await using patient = await openPostgresStore({
    databaseUrl: fixture.url,
    log: silentLog,
    retryTimeoutMs: 60_000,
  });
  await using hasty = await openPostgresStore({
    databaseUrl: fixture.url,
    log: silentLog,
    retryTimeoutMs: 1,
  });
  const before = makeRegistration();
  await patient.registerClient(before);
  await hasty.probe({ timeoutMs: 10_000 });

  await server.stop();
  await assert.rejects(hasty.putBroadcast(makeBroadcast(before.clientId)), withCode('store_unavailable'));
  await assert.rejects(hasty.probe({ timeoutMs: 10_000 }), withCode('store_unavailable'));
  const during = makeRegistration();
  const broadcast = makeBroadcast(before.clientId);
  const waiting = Promise.all([patient.registerClient(during), patient.putBroadcast(broadcast)]);
  const startingToo = openPostgresStore({ databaseUrl: fixture.url, log: silentLog });
  await server.start();

  assert.equal((await waiting)[0].kind, 'registered');
  await using third = await startingToo;
  for (const store of [patient, hasty, third]) {
    assert.deepEqual((await loadClient(store, before.clientId)).broadcast, broadcast);
    assert.ok(await loadClient(store, during.clientId));
  }
});

test('a server that is not there is named in the error, the password is not', async () => {
  await assert.rejects(
    openPostgresStore({
      databaseUrl: 'postgres://relay:secret-word@127.0.0.1:1/flashback',
      log: silentLog,
      startTimeoutMs: 1,
    }),
    (error: Error) => {
      withCode('store_unavailable')(error);
      assert.match(error.message, /127\.0\.0\.1:1/);
      assert.doesNotMatch(error.message, /secret-word/);
      return true;
    },
  );
  await assert.rejects(
    openPostgresStore({ databaseUrl: 'postgres://relay:secret-word@[/', log: silentLog }),
    (error: Error) => {
      assert.doesNotMatch(String(error), /secret-word/);
      return true;
    },
  );
});

test('a backup is refused by an error that names the tool for it', async () => {
  await using fixture = await makePostgresFixture(postgres);
  await using store = await fixture.open();

  await assert.rejects(store.backup('/tmp/never-made'), (error: Error) => {
    withCode('store_backup_refused')(error);
    assert.match(error.message, /pg_dump/);
    return true;
  });
});
