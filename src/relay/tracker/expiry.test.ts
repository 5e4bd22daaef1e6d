import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { createIdentity, type KeyAndCertificate } from '../../identity/create-identity.ts';
import { relayPaths } from '../../wire/relay-http.ts';
import { type LogLine, TestRelay } from '../testing/relay-fixture.ts';
import { ExpiryJob } from './expiry-job.ts';
import type { Tracker } from './tracker.ts';

const place = { port: 4711, addresses: ['10.0.0.1'] };
const hourMs = 3_600_000;

async function announced(relay: TestRelay, email: string): Promise<KeyAndCertificate> {
  const identity = await createIdentity(email);
  assert.equal((await relay.register(identity, email)).status, 200);
  assert.equal((await relay.ready(identity, place)).status, 200);
  return identity;
}

test('a broadcast lives one hour to the millisecond, before any cleanup', async () => {
  let nowMs = Date.now();
  await using relay = await TestRelay.start({ nowMs: () => nowMs });
  const me = await announced(relay, 'me@example.com');
  const viewer = await announced(relay, 'viewer@example.com');
  nowMs += hourMs - 1;
  assert.equal((await relay.lookup(viewer, 'me@example.com')).status, 200);
  assert.match((await relay.ask(viewer, relayPaths.list)).text, /me@example/);
  nowMs += 1;
  assert.equal((await relay.lookup(viewer, 'me@example.com')).status, 404);
  assert.equal((await relay.lookup(me, 'me@example.com')).status, 404, 'for its owner, too');
  assert.equal((await relay.ask(viewer, relayPaths.list)).text, '[]');
  assert.equal((await relay.ask(viewer, `${relayPaths.list}?limit=5`)).text, '[]');
  await relay.restart();
  assert.equal((await relay.lookup(viewer, 'me@example.com')).status, 404);
});

test('a broadcast that is refreshed lives on, and one that expired comes back with the next', async () => {
  let nowMs = Date.now();
  await using relay = await TestRelay.start({ nowMs: () => nowMs });
  const me = await announced(relay, 'me@example.com');
  for (let round = 0; round < 4; round += 1) {
    nowMs += hourMs / 2;
    assert.equal((await relay.lookup(me, 'me@example.com')).status, 200);
    await relay.ready(me, place);
  }
  nowMs += 2 * hourMs;
  assert.equal((await relay.lookup(me, 'me@example.com')).status, 404);
  await relay.ready(me, place);
  assert.equal((await relay.lookup(me, 'me@example.com')).status, 200);
});

test('the lifetime is a setting, and is told to the client', async () => {
  let nowMs = Date.now();
  await using relay = await TestRelay.start({ nowMs: () => nowMs, broadcastLifetimeSeconds: 5 });
  const me = await announced(relay, 'me@example.com');
  const answer = await relay.ready(me, place);
  assert.equal((answer.json() as { expires_in: number }).expires_in, 5);
  nowMs += 5000;
  assert.equal((await relay.lookup(me, 'me@example.com')).status, 404);
});

test('the cleanup job removes what has expired, only that, and logs how many', async () => {
  let nowMs = Date.now();
  await using relay = await TestRelay.start({ nowMs: () => nowMs, cleanupIntervalSeconds: 0.02 });
  const people = await Promise.all(
    ['one', 'two', 'three'].map((name) => announced(relay, `${name}@example.com`)),
  );
  nowMs += hourMs / 2;
  const [one] = people as [KeyAndCertificate];
  await relay.ready(one, place);
  const isAbout = (removed: number) => (line: LogLine) =>
    line.msg === 'removed expired broadcasts' && line['removed'] === removed;
  await relay.logged(isAbout(0));
  nowMs += hourMs / 2;
  await relay.logged(isAbout(2));
  assert.equal((await relay.lookup(one, 'one@example.com')).status, 200);
  assert.equal((await relay.lookup(one, 'two@example.com')).status, 404);
  assert.equal((await relay.ready(people[1] as KeyAndCertificate, place)).status, 200);
  assert.equal((await relay.lookup(one, 'two@example.com')).status, 200);
});

test('the cleanup job goes on after a failure, and ends with its work when it is disposed', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { promise: mayEnd, resolve: letEnd } = Promise.withResolvers<void>();
  let runs = 0;
  const tracker = {
    async removeExpired() {
      runs += 1;
      if (runs < 3) throw new Error('the disk is full');
      await mayEnd;
      return 0;
    },
  };
  const lines: LogLine[] = [];
  const log = pino({ level: 'info' }, { write: (line) => lines.push(JSON.parse(line) as LogLine) });
  const job = new ExpiryJob(tracker as unknown as Tracker, log, 1000);
  const pass = async (): Promise<void> => {
    context.mock.timers.tick(1000);
    await new Promise(setImmediate);
  };
  for (let time = 0; time < 5; time += 1) await pass();
  assert.equal(runs, 3, 'while one is at work no other begins');
  let isDisposed = false;
  const disposed = job[Symbol.asyncDispose]().then(() => {
    isDisposed = true;
  });
  await pass();
  assert.equal(isDisposed, false);
  letEnd();
  await disposed;
  await pass();
  assert.equal(runs, 3, 'and none follows');
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    [
      'could not remove expired broadcasts, will try again',
      'could not remove expired broadcasts, will try again',
      'removed expired broadcasts',
    ],
  );
});
