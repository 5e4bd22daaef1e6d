import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { migrations } from '../migrations/migrations.ts';
import type { Store } from '../store.ts';
import { fingerprintOf, makeBroadcast, makeCertificate, makeRegistration, testNowMs } from './records.ts';
import { loadEverything, type StoreContract, type StoreFixture, withCode } from './store-fixture.ts';

/** What one relay must cope with at start-up. */
const manyClients = 100_000;
/** Clients that register at once in that test: enough for full batches. */
const concurrency = 2_000;

export const lifeContract: StoreContract = {
  'a store opened again has everything that was acknowledged': async (fixture) => {
    const registration = makeRegistration();
    const { clientId } = registration;
    const broadcast = makeBroadcast(clientId);
    const before = await openAnd(fixture, async (store) => {
      await store.registerClient(registration);
      await store.addCertificate({ clientId, certificate: makeCertificate(), nowMs: testNowMs + 1 });
      await store.putBroadcast(broadcast);
      return loadEverything(store);
    });

    const after = await openAnd(fixture, (store) => loadEverything(store));

    assert.equal(before[0]?.certificates.length, 2);
    assert.deepEqual(before[0]?.broadcast, broadcast);
    assert.deepEqual(after, before);
  },

  'an empty database gets every migration, once': async (fixture) => {
    const newest = migrations.at(-1)?.version;

    assert.equal(await openAnd(fixture, async (store) => store.schemaVersion), newest);
    assert.equal(await openAnd(fixture, async (store) => store.schemaVersion), newest);
  },

  'a database of a newer program is refused by an error that names both versions': async (fixture) => {
    await openAnd(fixture, async (store) => store.registerClient(makeRegistration()));
    const newest = migrations.at(-1)?.version ?? 0;
    await fixture.pretendNewerSchema(newest + 41);

    await assert.rejects(fixture.open(), (error: Error) => {
      withCode('store_schema_newer')(error);
      assert.match(error.message, new RegExp(`\\b${newest + 41}\\b.*\\b${newest}\\b`));
      return true;
    });
  },

  'closing finishes the calls that were made and refuses later ones': async (fixture) => {
    const registrations = Array.from({ length: 100 }, () => makeRegistration());
    const store = await fixture.open();

    const calls = registrations.map((registration) => store.registerClient(registration));
    const closed = store[Symbol.asyncDispose]();

    const late = [
      () => store.registerClient(makeRegistration()),
      () => store.putBroadcast(makeBroadcast(randomUUID())),
      () => store.deleteExpiredBroadcasts(0),
      () => loadEverything(store),
      () => store.probe({ timeoutMs: 1000 }),
    ];
    for (const call of late) await assert.rejects(call, withCode('store_closed'));
    for (const result of await Promise.all(calls)) assert.equal(result.kind, 'registered');
    await closed;
    for (const call of late) await assert.rejects(call, withCode('store_closed'));
    await store[Symbol.asyncDispose]();
    assert.equal((await openAnd(fixture, (again) => loadEverything(again))).length, registrations.length);
  },

  'a probe is answered, unless its caller gives up first': async (fixture) => {
    await using store = await fixture.open();

    await store.probe({ timeoutMs: 10_000 });

    const reason = new Error('the caller left');
    await assert.rejects(store.probe({ timeoutMs: 10_000, signal: AbortSignal.abort(reason) }), reason);
    const controller = new AbortController();
    const probing = store.probe({ timeoutMs: 10_000, signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(probing, reason);
  },

  'more writes than may wait are refused at once, and the others are kept': async (fixture) => {
    await using store = await fixture.open();
    const registration = makeRegistration();
    await store.registerClient(registration);

    const settled = await Promise.allSettled(
      Array.from({ length: 70_000 }, () => store.putBroadcast(makeBroadcast(registration.clientId))),
    );

    const refused = settled.filter((result) => result.status === 'rejected');
    assert.ok(refused.length > 0 && refused.length < settled.length, `${refused.length} were refused`);
    for (const { reason } of refused) withCode('store_overloaded')(reason);
    await store.putBroadcast(makeBroadcast(registration.clientId));
  },

  'a hundred thousand clients with certificates and broadcasts come back, page by page': async (fixture) => {
    const fingerprints = new Set<string>();
    await openAnd(fixture, async (store) => {
      for (let first = 0; first < manyClients; first += concurrency) {
        await Promise.all(Array.from({ length: concurrency }, (_, n) => register(store, first + n)));
      }
    });

    await openAnd(fixture, async (store) => {
      let pages = 0;
      for await (const page of store.loadAll(testNowMs)) {
        pages += 1;
        for (const { client, certificates, broadcast } of page) {
          const [certificate] = certificates;
          assert.equal(certificates.length, 1);
          assert.equal(certificate?.fingerprint, fingerprintOf(client.email));
          assert.equal(broadcast?.clientId, client.clientId);
          fingerprints.add(certificate.fingerprint);
        }
        assert.ok(page.length <= manyClients / 50, `a page of ${page.length} clients is no page`);
      }
      assert.ok(pages >= 50);
    });
    assert.equal(fingerprints.size, manyClients);
  },
};

async function register(store: Store, number: number): Promise<void> {
  const email = `person-${number}@example.com`;
  const registration = makeRegistration({ email, certificate: makeCertificate(email) });
  const [result] = await Promise.all([
    store.registerClient(registration),
    store.putBroadcast(makeBroadcast(registration.clientId)),
  ]);
  if (result.kind !== 'registered') assert.fail(`${email} is ${result.kind}`);
}

async function openAnd<T>(fixture: StoreFixture, work: (store: Store) => Promise<T>): Promise<T> {
  await using store = await fixture.open();
  return await work(store);
}
