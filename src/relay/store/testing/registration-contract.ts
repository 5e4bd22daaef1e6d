import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { makeBroadcast, makeCertificate, makeRegistration, testNowMs } from './records.ts';
import { loadClient, loadEverything, type StoreContract, withCode } from './store-fixture.ts';

/** Racing calls in one test: several batches of either engine. */
const racers = 300;

export const registrationContract: StoreContract = {
  'a registration is stored as it was made': async (fixture) => {
    await using store = await fixture.open();
    const registration = makeRegistration();
    const { clientId, email, certificate, nowMs } = registration;

    assert.deepEqual(await store.registerClient(registration), { kind: 'registered', clientId });

    assert.deepEqual(await loadEverything(store), [
      {
        client: { clientId, email, createdAtMs: nowMs },
        certificates: [{ ...certificate, clientId, addedAtMs: nowMs }],
        broadcast: undefined,
      },
    ]);
  },

  'a registration made again keeps its client, and another one for its e-mail or certificate is refused':
    async (fixture) => {
      await using store = await fixture.open();
      const first = makeRegistration();
      const other = makeRegistration();
      await store.registerClient(first);
      await store.registerClient(other);
      const { email, certificate } = first;

      const cases = [
        [makeRegistration({ email, certificate }), { kind: 'already', clientId: first.clientId }],
        [makeRegistration({ email }), { kind: 'email-taken' }],
        [makeRegistration({ email, certificate: other.certificate }), { kind: 'email-taken' }],
        [makeRegistration({ certificate }), { kind: 'certificate-taken' }],
      ] as const;
      for (const [registration, expected] of cases) {
        assert.deepEqual(await store.registerClient(registration), expected);
      }
      const together = await Promise.all(cases.map(([registration]) => store.registerClient(registration)));
      assert.deepEqual(
        together,
        cases.map(([, expected]) => expected),
      );
      assert.equal((await loadEverything(store)).length, 2);
    },

  'of concurrent registrations of one e-mail exactly one wins, and nothing of the others stays': async (
    fixture,
  ) => {
    await using store = await fixture.open();
    const registrations = Array.from({ length: racers }, () => makeRegistration({ email: 'a@example.com' }));

    const results = await Promise.all(
      registrations.map((registration) => store.registerClient(registration)),
    );

    const winner = registrations[results.findIndex((result) => result.kind === 'registered')];
    assert.ok(winner);
    assert.equal(results.filter((result) => result.kind === 'registered').length, 1);
    assert.equal(results.filter((result) => result.kind === 'email-taken').length, racers - 1);
    const everything = await loadEverything(store);
    assert.deepEqual(
      everything.map(({ client }) => client.clientId),
      [winner.clientId],
    );
    assert.deepEqual(
      everything[0]?.certificates.map((certificate) => certificate.fingerprint),
      [winner.certificate.fingerprint],
    );
  },

  'concurrent registrations of one e-mail with one certificate all get the same client': async (fixture) => {
    await using store = await fixture.open();
    const certificate = makeCertificate();
    const registrations = Array.from({ length: racers }, () =>
      makeRegistration({ email: 'a@example.com', certificate }),
    );

    const results = await Promise.all(
      registrations.map((registration) => store.registerClient(registration)),
    );

    assert.equal(results.filter((result) => result.kind === 'registered').length, 1);
    assert.equal(results.filter((result) => result.kind === 'already').length, racers - 1);
    assert.equal(new Set(results.map((result) => 'clientId' in result && result.clientId)).size, 1);
  },

  'of concurrent registrations of one certificate exactly one wins, and the other e-mails stay free': async (
    fixture,
  ) => {
    await using store = await fixture.open();
    const certificate = makeCertificate();
    const registrations = Array.from({ length: racers }, () => makeRegistration({ certificate }));

    const results = await Promise.all(
      registrations.map((registration) => store.registerClient(registration)),
    );

    assert.equal(results.filter((result) => result.kind === 'registered').length, 1);
    assert.equal(results.filter((result) => result.kind === 'certificate-taken').length, racers - 1);
    const loser = registrations[results.findIndex((result) => result.kind === 'certificate-taken')];
    assert.ok(loser);
    const again = await store.registerClient(makeRegistration({ email: loser.email }));
    assert.equal(again.kind, 'registered');
  },

  'an e-mail whose first claimant lost by its certificate goes to the next claimant of the same moment':
    async (fixture) => {
      await using store = await fixture.open();
      const taken = makeRegistration();
      await store.registerClient(taken);
      const refused = makeRegistration({ email: 'a@example.com', certificate: taken.certificate });
      const next = makeRegistration({ email: 'a@example.com' });

      const results = await Promise.all([store.registerClient(refused), store.registerClient(next)]);

      assert.deepEqual(results, [
        { kind: 'certificate-taken' },
        { kind: 'registered', clientId: next.clientId },
      ]);
    },

  'a client id that is in use is an error, and the registrations beside it are kept': async (fixture) => {
    await using store = await fixture.open();
    const first = makeRegistration();
    await store.registerClient(first);
    const neighbour = makeRegistration();

    const [collision, beside] = await Promise.allSettled([
      store.registerClient(makeRegistration({ clientId: first.clientId })),
      store.registerClient(neighbour),
    ]);

    assert.equal(collision.status === 'rejected' && withCode('store_bad_value')(collision.reason), true);
    assert.equal(beside.status, 'fulfilled');
    assert.deepEqual(
      (await loadEverything(store)).map(({ client }) => client.email).sort(),
      [first.email, neighbour.email].sort(),
    );
  },

  'further certificates join a client, once each, and never one that another client has': async (fixture) => {
    await using store = await fixture.open();
    const first = makeRegistration();
    const other = makeRegistration();
    await store.registerClient(first);
    await store.registerClient(other);
    const { clientId } = first;
    const certificate = makeCertificate();
    const nowMs = testNowMs + 5;

    assert.deepEqual(await store.addCertificate({ clientId, certificate, nowMs }), { kind: 'added' });
    assert.deepEqual(await store.addCertificate({ clientId, certificate, nowMs: nowMs + 1 }), {
      kind: 'added',
    });
    assert.deepEqual(await store.addCertificate({ clientId, certificate: other.certificate, nowMs }), {
      kind: 'certificate-taken',
    });
    await assert.rejects(
      store.addCertificate({ clientId: randomUUID(), certificate: makeCertificate(), nowMs }),
      withCode('store_unknown_client'),
    );
    await assert.rejects(
      store.addCertificate({ clientId: randomUUID(), certificate, nowMs }),
      withCode('store_unknown_client'),
    );

    assert.deepEqual((await loadClient(store, clientId)).certificates, [
      { ...first.certificate, clientId, addedAtMs: testNowMs },
      { ...certificate, clientId, addedAtMs: nowMs },
    ]);
    assert.deepEqual(await store.registerClient(makeRegistration({ email: first.email, certificate })), {
      kind: 'already',
      clientId,
    });
  },

  'of concurrent additions of one certificate to several clients exactly one wins': async (fixture) => {
    await using store = await fixture.open();
    const clients = Array.from({ length: racers }, () => makeRegistration());
    await Promise.all(clients.map((client) => store.registerClient(client)));
    const certificate = makeCertificate();

    const results = await Promise.all(
      clients.map(({ clientId }) => store.addCertificate({ clientId, certificate, nowMs: testNowMs })),
    );

    assert.equal(results.filter((result) => result.kind === 'added').length, 1);
    assert.equal(results.filter((result) => result.kind === 'certificate-taken').length, racers - 1);
  },

  'a registration and what follows it take effect in the order of the calls': async (fixture) => {
    await using store = await fixture.open();
    const registration = makeRegistration();
    const { clientId } = registration;
    const broadcast = makeBroadcast(clientId);

    const [registered, added] = await Promise.all([
      store.registerClient(registration),
      store.addCertificate({ clientId, certificate: makeCertificate(), nowMs: testNowMs }),
      store.putBroadcast(broadcast),
    ]);

    assert.equal(registered.kind, 'registered');
    assert.equal(added.kind, 'added');
    const stored = await loadClient(store, clientId);
    assert.equal(stored.certificates.length, 2);
    assert.deepEqual(stored.broadcast, broadcast);
  },
};
