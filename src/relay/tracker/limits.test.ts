import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createIdentity, type KeyAndCertificate } from '../../identity/create-identity.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { relayPaths } from '../../wire/relay-http.ts';
import { rateLimitDefaults } from '../server/rate-limits.ts';
import { openStore } from '../store/open-store.ts';
import { makeBroadcast, makeRegistration } from '../store/testing/records.ts';
import { silentLog } from '../store/testing/silent-log.ts';
import { type Answer, TestRelay } from '../testing/relay-fixture.ts';

const { lookup, list, ready, broadcast, certificate, register } = relayPaths;

/** 429 with the seconds in the header and in the sentence. */
function waitOf(answer: Answer): number {
  assert.equal(answer.status, 429, answer.text);
  const seconds = Number(answer.headers['retry-after']);
  assert.ok(Number.isInteger(seconds) && seconds >= 1);
  assert.deepEqual(answer.json(), { error: `too many requests, try again in ${seconds} s` });
  return seconds;
}

async function registered(relay: TestRelay, email: string): Promise<KeyAndCertificate> {
  const identity = await createIdentity(email);
  assert.equal((await relay.register(identity, email)).status, 200);
  return identity;
}

test('the limits are those that the protocol document names', () => {
  assert.deepEqual(rateLimitDefaults, {
    clientPerSecond: 20,
    clientBurst: 200,
    addressPerMinute: 100,
    takenPerHour: 20,
  });
});

test('a client has one limit over all its requests, and as many as it waited for', async () => {
  let nowMs = Date.now();
  await using relay = await TestRelay.start({
    nowMs: () => nowMs,
    rateLimits: { clientBurst: 6, clientPerSecond: 0.5 },
  });
  const [me, ann] = [await registered(relay, 'me@example.com'), await registered(relay, 'ann@example.com')];
  const asks: (() => Promise<Answer>)[] = [
    () => relay.ask(me, list),
    () => relay.ask(me, `${lookup}?email=me@example.com`),
    () => relay.ready(me, { port: 1, addresses: [] }),
    () => relay.ask(me, `${certificate}?email=me@example.com`),
    () => relay.ask(me, broadcast, { method: 'DELETE' }),
    () => relay.ask(me, list),
  ];
  for (const ask of asks) assert.notEqual((await ask()).status, 429);
  for (const ask of asks) assert.equal(waitOf(await ask()), 2);
  assert.equal((await relay.ask(ann, list)).status, 200, 'others have their own');
  nowMs += 2000;
  assert.equal((await relay.ask(me, list)).status, 200);
  assert.equal(waitOf(await relay.ask(me, list)), 2);
});

test('each certificate counts for itself, over whichever connection', async () => {
  await using relay = await TestRelay.start({ rateLimits: { clientBurst: 2, clientPerSecond: 0.001 } });
  const phone = await registered(relay, 'me@example.com');
  const laptop = await createIdentity('me@example.com');
  assert.equal((await relay.register(laptop, 'me@example.com', phone)).status, 200);
  assert.equal((await relay.ask(phone, list)).status, 200);
  assert.equal((await relay.ask(phone, list)).status, 200);
  waitOf(await relay.ask(phone, list));
  assert.equal((await relay.ask(laptop, list)).status, 200);
});

test('registering counts for the network address, also with a registered certificate: accounts must not buy accounts', async () => {
  await using relay = await TestRelay.start({ rateLimits: { addressPerMinute: 3 } });
  const me = await registered(relay, 'me@example.com');
  for (const email of ['a@example.com', 'b@example.com'])
    assert.equal((await relay.register(await createIdentity(email), email, me)).status, 200);
  waitOf(await relay.register(await createIdentity('c@example.com'), 'c@example.com', me));
  assert.equal((await relay.ask(me, list)).status, 200);
});

test('a whole list costs as many requests as it has thousands of peers, at once or by pages', async () => {
  await using folder = await temporaryFolder();
  await using store = await openStore({ log: silentLog, sqliteFile: join(folder.path, 'relay.sqlite') });
  const expiresAtMs = Date.now() + 3_600_000;
  await Promise.all(
    Array.from({ length: 2500 }, async () => {
      const registration = makeRegistration();
      await store.registerClient(registration);
      await store.putBroadcast(makeBroadcast(registration.clientId, { expiresAtMs }));
    }),
  );
  for (const [path, times] of [
    [list, 3],
    [`${list}?limit=10000`, 3],
    [`${list}?limit=1000`, 10],
  ] as const) {
    await using relay = await TestRelay.start({
      store,
      rateLimits: { clientBurst: 10, clientPerSecond: 0.001 },
    });
    const me = await registered(relay, `${Math.random()}@example.com`);
    for (let time = 0; time < times; time += 1) assert.equal((await relay.ask(me, path)).status, 200);
    assert.equal(waitOf(await relay.ask(me, path)) >= 1, true, path);
  }
});

test('an address without a registered certificate has one limit over everything it asks', async () => {
  let nowMs = Date.now();
  await using relay = await TestRelay.start({ nowMs: () => nowMs, rateLimits: { addressPerMinute: 6 } });
  const me = await registered(relay, 'me@example.com');
  const stranger = await createIdentity('stranger@example.com');
  const asks: (() => Promise<Answer>)[] = [
    () => relay.ask(stranger, list),
    () => relay.ask(undefined, `${lookup}?email=me@example.com`),
    () => relay.ask(undefined, ready, { method: 'POST', body: {} }),
    () => relay.ask(undefined, '/nothing/here'),
    () => relay.ask(undefined, register, { method: 'PUT' }),
  ];
  for (const ask of asks) assert.notEqual((await ask()).status, 429);
  for (const ask of asks) assert.equal(waitOf(await ask()), 10);
  assert.equal(waitOf(await relay.register(stranger, 'stranger@example.com')), 10);
  assert.equal((await relay.ask(me, list)).status, 200, 'who is registered is not counted by address');
  for (const path of ['/health', '/ready'])
    assert.equal((await relay.ask(undefined, path)).status, 200, 'nor is what a load balancer asks');
  nowMs += 10_000;
  assert.equal((await relay.register(stranger, 'stranger@example.com')).status, 200);
});

test('an address that collects refusals of taken e-mails is then told nothing, not even by what still works', async () => {
  let nowMs = Date.now();
  await using relay = await TestRelay.start({ nowMs: () => nowMs, rateLimits: { takenPerHour: 3 } });
  const [me, ann] = [await registered(relay, 'me@example.com'), await registered(relay, 'ann@example.com')];
  const [impostor, newcomer] = [
    await createIdentity('me@example.com'),
    await createIdentity('new@example.com'),
  ];
  for (let time = 0; time < 3; time += 1)
    assert.equal((await relay.register(impostor, 'me@example.com')).status, 409);
  for (const as of [undefined, impostor, ann]) {
    assert.equal(waitOf(await relay.register(impostor, 'me@example.com', as)), 1200);
    assert.equal(
      waitOf(await relay.register(newcomer, 'new@example.com', as)),
      1200,
      'an e-mail that is free',
    );
  }
  assert.equal(
    (await relay.register(me, 'me@example.com')).status,
    200,
    'a client that starts again is let in',
  );
  nowMs += 1_200_000;
  assert.equal((await relay.register(newcomer, 'new@example.com')).status, 200);
  assert.equal((await relay.register(impostor, 'me@example.com')).status, 409);
  assert.equal(waitOf(await relay.register(impostor, 'me@example.com')), 1200);
});
