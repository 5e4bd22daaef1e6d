import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import pino from 'pino';
import type { Identity } from '../../identity/key-store.ts';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { type RunningRelay, runRelay } from '../../relay/run-relay.ts';
import { ManualClock } from '../../util/testing/manual-clock.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import type { RelayState } from '../../wire/local-api.ts';
import { formatRelayUrl, parseRelayUrl } from '../../wire/relay-url.ts';
import { Announcer } from './announcer.ts';
import { RelayClient } from './relay-client.ts';

const [ann, bob, otherBob] = (await Promise.all(
  ['ann@example.com', 'bob@example.com', 'bob@example.com'].map((email) => testIdentity(email)),
)) as [Identity, Identity, Identity];
const log = pino({ level: 'silent' });
const offer = { port: 4711, addresses: ['192.168.1.5'] };

/** A relay that can be stopped and started at one port, Ann who watches, and Bob who is announced. */
async function world(identity = bob) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const start = (port: number, dataFolder = 'relay'): Promise<RunningRelay> =>
    runRelay({ port, host: '127.0.0.1', dataFolder: `${folder.path}/${dataFolder}` });
  let relay = await start(0);
  stack.defer(() => relay[Symbol.asyncDispose]());
  const { port, fingerprint } = relay;
  const url = parseRelayUrl(formatRelayUrl(`https://127.0.0.1:${port}`, fingerprint));
  const watcher = stack.use(new RelayClient({ url, identity: ann }));
  await watcher.register();
  const clock = new ManualClock();
  const client = stack.use(new RelayClient({ url, identity }));
  const announcer = stack.use(
    new Announcer({ relay: client, refreshSeconds: 1800, log, clock, random: () => 0 }),
  );
  return {
    announcer,
    client,
    clock,
    stop: () => relay[Symbol.asyncDispose](),
    start: async () => {
      relay = await start(port);
    },
    watcher,
    addressesSeen: async () => (await watcher.list()).map(({ addresses }) => addresses),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function reaches(announcer: Announcer, state: RelayState['state']): Promise<RelayState> {
  while (announcer.state.state !== state) await once(announcer, 'stateChanged');
  return announcer.state;
}

test('an offer is seen by others, a changed one at once, and none after the end', async () => {
  await using there = await world();
  const { announcer, clock } = there;
  announcer.offer(offer);
  const { announcedAt } = await reaches(announcer, 'announced');
  assert.equal(announcedAt, new Date(clock.nowMs()).toISOString());
  assert.deepEqual(await there.addressesSeen(), [['192.168.1.5']]);

  clock.advance(60_000);
  announcer.offer({ ...offer, addresses: ['10.0.0.5', 'fe80::5'] });
  // The refresh is set anew when the relay has accepted: no event tells of an unchanged state.
  await clock.timerSet((delayMs) => delayMs === 1_800_000);
  assert.deepEqual(await there.addressesSeen(), [['10.0.0.5', 'fe80::5']]);

  await announcer[Symbol.asyncDispose]();
  assert.deepEqual(await there.addressesSeen(), []);
  assert.deepEqual(clock.delaysMs, []);
});

test('sharing can be stopped and started', async () => {
  await using there = await world();
  const { announcer } = there;
  announcer.offer(offer);
  await reaches(announcer, 'announced');
  announcer.offer(undefined);
  await reaches(announcer, 'withdrawn');
  assert.deepEqual(await there.addressesSeen(), []);
  announcer.offer(offer);
  await reaches(announcer, 'announced');
  assert.equal((await there.addressesSeen()).length, 1);
});

test('a relay that is away at the start is tried with growing pauses until it is there', async () => {
  await using there = await world();
  const { announcer, clock } = there;
  await there.stop();
  announcer.offer(offer);
  const state = await reaches(announcer, 'away');
  assert.match(state.reason ?? '', /cannot be reached: refused: nothing listens there/);
  assert.equal(state.nextTryAt, new Date(clock.nowMs() + 500).toISOString());
  for (const pauseMs of [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
    await clock.timerSet((delayMs) => delayMs === pauseMs);
    clock.advance(pauseMs);
  }
  await there.start();
  await clock.timerSet((delayMs) => delayMs === 30_000);
  clock.advance(30_000);
  await reaches(announcer, 'announced');
});

test('a relay that goes away later is noticed by the calls of others, and announced to again when it is back', async () => {
  await using there = await world();
  const { announcer, client, clock } = there;
  announcer.offer(offer);
  await reaches(announcer, 'announced');
  await there.stop();
  await assert.rejects(client.list());
  assert.equal(announcer.state.state, 'away');
  await there.start();
  clock.advance(500);
  await reaches(announcer, 'announced');
  assert.deepEqual(await there.addressesSeen(), [['192.168.1.5']]);
});

test('a network change does not wait for the backoff', async () => {
  await using there = await world();
  const { announcer, clock } = there;
  await there.stop();
  announcer.offer(offer);
  await reaches(announcer, 'away');
  await there.start();
  // Time stands still.
  announcer.refreshNow();
  await reaches(announcer, 'announced');
  clock.advance(60_000);
  announcer.refreshNow();
  await clock.timerSet((delayMs) => delayMs === 1_800_000);
  assert.equal(announcer.state.announcedAt, new Date(clock.nowMs()).toISOString());
});

test('an e-mail that is taken is a refusal, tried again after ten minutes', async () => {
  await using there = await world(otherBob);
  {
    using owner = new RelayClient({ url: there.client.url, identity: bob });
    await owner.register();
  }
  there.announcer.offer(offer);
  const state = await reaches(there.announcer, 'refused');
  assert.match(state.reason ?? '', /refuses register: /);
  assert.equal(state.nextTryAt, new Date(there.clock.nowMs() + 600_000).toISOString());
});

test('an end while a call is on its way ends within the deadline, and leaves nothing announced', async () => {
  await using there = await world();
  there.announcer.offer(offer);
  await there.announcer[Symbol.asyncDispose]();
  assert.deepEqual(await there.addressesSeen(), []);
});

test('an end while the relay is away is no failure', async () => {
  await using there = await world();
  there.announcer.offer(offer);
  await reaches(there.announcer, 'announced');
  await there.stop();
  await there.announcer[Symbol.asyncDispose]();
  await there.start();
});
