import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { BroadcastRecord, Store } from '../store.ts';
import { makeBroadcast, makeRegistration, testNowMs } from './records.ts';
import { loadClient, type StoreContract, withCode } from './store-fixture.ts';

async function registered(store: Store): Promise<string> {
  const registration = makeRegistration();
  await store.registerClient(registration);
  return registration.clientId;
}

export const broadcastContract: StoreContract = {
  'a broadcast replaces the earlier one of its client, in every field': async (fixture) => {
    await using store = await fixture.open();
    const clientId = await registered(store);
    const second: BroadcastRecord = {
      broadcastId: randomUUID(),
      clientId,
      port: 65_535,
      addresses: [],
      observedAddress: '2001:db8::9',
      announce: 'friends',
      visibleTo: ['b@example.com', 'c@example.com'],
      capabilities: ['link/1', 'mailbox/1'],
      readyAtMs: testNowMs + 1,
      // Beyond 32 bits and beyond what a float of 32 bits tells apart.
      expiresAtMs: testNowMs + 3_600_001,
    };

    await store.putBroadcast(makeBroadcast(clientId));
    await store.putBroadcast(second);

    assert.deepEqual((await loadClient(store, clientId)).broadcast, second);
  },

  'of many broadcasts and withdrawals made at once the last one counts': async (fixture) => {
    await using store = await fixture.open();
    const [kept, gone] = [await registered(store), await registered(store)];
    const broadcasts = Array.from({ length: 200 }, (_, index) => makeBroadcast(kept, { port: index + 1 }));

    await Promise.all([
      ...broadcasts.flatMap((broadcast) => [store.deleteBroadcast(kept), store.putBroadcast(broadcast)]),
      store.putBroadcast(makeBroadcast(gone)),
      store.deleteBroadcast(gone),
    ]);

    assert.deepEqual((await loadClient(store, kept)).broadcast, broadcasts.at(-1));
    assert.equal((await loadClient(store, gone)).broadcast, undefined);
  },

  'a broadcast of a client that is not there is refused alone': async (fixture) => {
    await using store = await fixture.open();
    const clientIds = await Promise.all(Array.from({ length: 10 }, () => registered(store)));
    const stranger = randomUUID();

    const settled = await Promise.allSettled(
      [...clientIds.slice(0, 5), stranger, ...clientIds.slice(5)].map((clientId) =>
        store.putBroadcast(makeBroadcast(clientId)),
      ),
    );

    const refused = settled.filter((result) => result.status === 'rejected');
    assert.equal(refused.length, 1);
    assert.equal(settled[5], refused[0]);
    withCode('store_unknown_client')(refused[0]?.reason);
    for (const clientId of clientIds) assert.ok((await loadClient(store, clientId)).broadcast);
  },

  'withdrawing is done when there is nothing to withdraw': async (fixture) => {
    await using store = await fixture.open();
    const clientId = await registered(store);

    await store.deleteBroadcast(clientId);
    await store.deleteBroadcast(randomUUID());

    assert.equal((await loadClient(store, clientId)).broadcast, undefined);
  },

  'expiry removes what has reached its time, says what that was, and nothing else': async (fixture) => {
    await using store = await fixture.open();
    const [past, now, future] = [await registered(store), await registered(store), await registered(store)];
    const broadcasts = [
      makeBroadcast(past, { expiresAtMs: testNowMs - 1 }),
      makeBroadcast(now, { expiresAtMs: testNowMs }),
      makeBroadcast(future, { expiresAtMs: testNowMs + 1 }),
    ];
    await Promise.all(broadcasts.map((broadcast) => store.putBroadcast(broadcast)));

    const removed = await store.deleteExpiredBroadcasts(testNowMs);

    const byClient = (a: { clientId: string }, b: { clientId: string }) => (a.clientId < b.clientId ? -1 : 1);
    assert.deepEqual(
      removed.map(({ clientId, broadcastId }) => ({ clientId, broadcastId })).sort(byClient),
      broadcasts
        .slice(0, 2)
        .map(({ clientId, broadcastId }) => ({ clientId, broadcastId }))
        .sort(byClient),
    );
    assert.deepEqual(await store.deleteExpiredBroadcasts(testNowMs), []);
    assert.deepEqual((await loadClient(store, future, 0)).broadcast, broadcasts[2]);
    assert.equal((await loadClient(store, past, 0)).broadcast, undefined);
  },

  'loading leaves out what has expired, before expiry has removed it': async (fixture) => {
    await using store = await fixture.open();
    const clientId = await registered(store);
    const broadcast = makeBroadcast(clientId);
    await store.putBroadcast(broadcast);

    assert.deepEqual((await loadClient(store, clientId, broadcast.expiresAtMs - 1)).broadcast, broadcast);
    assert.equal((await loadClient(store, clientId, broadcast.expiresAtMs)).broadcast, undefined);
  },

  'the largest broadcast the relay admits is stored whole': async (fixture) => {
    await using store = await fixture.open();
    const clientId = await registered(store);
    const broadcast = makeBroadcast(clientId, {
      addresses: Array.from(
        { length: 16 },
        (_, n) => `2001:db8:1111:2222:3333:4444:5555:${(0x6660 + n).toString(16)}`,
      ),
      announce: 'friends',
      visibleTo: Array.from({ length: 500 }, (_, n) => `${n}-`.padEnd(242, 'x').concat('@example.com')),
      capabilities: Array.from({ length: 32 }, (_, n) => `${n}-`.padEnd(64, 'y')),
    });

    await store.putBroadcast(broadcast);

    assert.deepEqual((await loadClient(store, clientId)).broadcast, broadcast);
  },
};
