import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { test } from 'node:test';
import pino from 'pino';
import type { Identity } from '../../identity/key-store.ts';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { ManualClock } from '../../util/testing/manual-clock.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { Discovery } from '../discovery/discovery.ts';
import type { RelayClient } from '../relay-client/relay-client.ts';
import { pinOf } from '../state/known-peers.ts';
import { StateStore } from '../state/state-store.ts';
import { answerJson, httpsServer } from '../testing/https-server.ts';
import { pretendRelay } from '../testing/test-relay.ts';
import { FriendBook } from './friend-book.ts';
import { type CheckResult, Pinger } from './pinger.ts';

const email = 'bob@example.com';
const [ann, bob, falseBob] = (await Promise.all(
  ['ann@example.com', email, email].map((address) => testIdentity(address)),
)) as [Identity, Identity, Identity];
const log = pino({ level: 'silent' });
const shared = answerJson(200, { status: 'ok', house: 'shared' });
const intervalMs = 60_000;

/** Ann, whose friend Bob was last seen at `place`. */
async function world(place?: { host: string; port: number }, relay?: RelayClient) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const state = stack.use(StateStore.open(folder.path));
  state.peers.pin(email, pinOf(bob.claims), 'relay', 1);
  state.peers.makeFriend(email, 1);
  if (place !== undefined) state.addresses.put(email, place.host, place.port, 1);
  const clock = new ManualClock();
  const friends = new FriendBook({ ownEmail: 'ann@example.com', state, relay, clock });
  const discovery = new Discovery({
    state,
    relay,
    identity: () => ann,
    local: () => ({ addresses: [], housePort: undefined }),
    log,
  });
  const start = () =>
    stack.use(
      new Pinger({ friends, discovery, identity: () => ann, pingSeconds: 60, log, clock, random: () => 0 }),
    );
  return { state, clock, friends, start, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function nextCheck(pinger: Pinger, clock: ManualClock, afterMs = 0): Promise<CheckResult> {
  const checked = once(pinger, 'checked');
  clock.advance(afterMs);
  const [who, result] = (await checked) as [string, CheckResult];
  assert.equal(who, email);
  return result;
}

test('a friend is asked at once and then every interval, over one connection', async () => {
  await using house = await httpsServer(bob, shared);
  await using there = await world(house);
  const { clock } = there;
  const pinger = there.start();
  assert.equal(pinger.resultOf(email), undefined);
  const result = await nextCheck(pinger, clock);
  assert.equal(result.kind, 'online');
  assert.deepEqual(pinger.resultOf(email), result);
  for (let n = 0; n < 3; n += 1) {
    await clock.timerSet((delayMs) => delayMs === intervalMs);
    await nextCheck(pinger, clock, intervalMs);
  }
  assert.deepEqual(house.requests, Array(4).fill('GET /health'));
  assert.equal(house.connections, 1);
});

test('what a house answers decides what is said of a friend who is there', async (t) => {
  const cases: readonly (readonly [name: string, answer: RequestListener, kind: string, cause: RegExp])[] = [
    ['folder away', answerJson(200, { status: 'ok', house: 'away' }), 'online', /folder is away/],
    ['sharing off', answerJson(200, { status: 'ok', house: 'off' }), 'online', /sharing is off/],
    [
      'not admitted',
      answerJson(403, { error: 'you are not admitted yet' }),
      'online',
      /^has not accepted you yet: /,
    ],
    [
      'unknown',
      answerJson(401, { error: 'expired\u001b' }),
      'online',
      /^does not accept your certificate: expired\\u\{1b\}$/,
    ],
    ['busy', answerJson(503, { error: 'the house is busy' }), 'online', /^the house is busy$/],
    ['broken', answerJson(500, { error: 'oops' }), 'error', /answers strangely \(HTTP 500\)/],
    [
      'another program',
      (_request, response) => response.end('hello'),
      'error',
      /answers strangely \(HTTP 200\)/,
    ],
    [
      'cut off',
      (request) => request.socket.destroy(),
      'offline',
      /its house does not: the connection was cut/,
    ],
  ];
  for (const [name, answer, kind, cause] of cases)
    await t.test(name, async () => {
      await using house = await httpsServer(bob, answer);
      await using there = await world(house);
      const result = await nextCheck(there.start(), there.clock);
      assert.equal(result.kind, kind);
      assert.match(result.cause ?? '', cause);
    });
});

test('a friend who crashes is offline at the next check, and online again when back, at another port too', async () => {
  const announced = { email, addresses: ['127.0.0.1'], observed_address: '127.0.0.1', capabilities: [] };
  let port: number | undefined;
  await using relay = await pretendRelay(ann, (request, response) => {
    if (request.url?.startsWith('/api/relay/broadcast/lookup') !== true || port === undefined)
      answerJson(404, { error: 'no such peer is announced' })(request, response);
    else answerJson(200, { ...announced, port, last_seen: '2026-01-01T00:00:00Z' })(request, response);
  });
  const house = await httpsServer(bob, shared);
  await using there = await world(house, relay.client);
  const { clock } = there;
  const pinger = there.start();
  assert.equal((await nextCheck(pinger, clock)).kind, 'online');

  await house[Symbol.asyncDispose]();
  await clock.timerSet((delayMs) => delayMs === intervalMs);
  const gone = await nextCheck(pinger, clock, intervalMs);
  assert.equal(gone.kind, 'offline');
  assert.match(gone.cause ?? '', /is not announced at the relay now, and does not answer where it was last/);

  await using moved = await httpsServer(bob, shared);
  port = moved.port;
  await clock.timerSet((delayMs) => delayMs === intervalMs);
  pinger.relayReturned();
  const back = await nextCheck(pinger, clock, 0);
  assert.ok(back.kind === 'online');
  assert.equal(back.address, `127.0.0.1:${moved.port}`);
});

test('an impostor is an error, and gets no request', async () => {
  await using impostor = await httpsServer(falseBob, shared);
  await using there = await world(impostor);
  const result = await nextCheck(there.start(), there.clock);
  assert.ok(result.kind === 'error');
  assert.equal(result.code, 'identity_changed');
  assert.deepEqual(impostor.requests, []);
});

test('a result is fresh for as long as the next check may take, and not over a sleep', async () => {
  await using house = await httpsServer(bob, shared);
  await using there = await world(house);
  const { clock } = there;
  const pinger = there.start();
  await nextCheck(pinger, clock);
  await clock.timerSet((delayMs) => delayMs === intervalMs);
  clock.jumpWall(79_000);
  assert.equal(pinger.resultOf(email)?.kind, 'online');
  clock.jumpWall(2000);
  assert.equal(pinger.resultOf(email), undefined);
});

test('after a network change kept connections are dropped and everybody is asked anew', async () => {
  await using house = await httpsServer(bob, shared);
  await using there = await world(house);
  const { clock } = there;
  const pinger = there.start();
  await nextCheck(pinger, clock);
  await clock.timerSet((delayMs) => delayMs === intervalMs);
  pinger.networkChanged();
  await nextCheck(pinger, clock);
  assert.equal(house.connections, 2);
});

test('a check that hangs in the old network begins anew in the new one', async () => {
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
  await using house = await httpsServer(bob, (request, response) => {
    if (house.requests.length > 1) shared(request, response);
    else onAsked();
  });
  await using there = await world(house);
  const pinger = there.start();
  const checked = nextCheck(pinger, there.clock);
  await asked;
  pinger.networkChanged();
  assert.equal((await checked).kind, 'online');
  assert.equal(house.requests.length, 2);
});

test('who asks for a check shares the one that runs, and may leave it', async () => {
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  await using house = await httpsServer(bob, (request, response) => {
    onAsked();
    void released.then(() => shared(request, response));
  });
  await using there = await world(house);
  const pinger = there.start();
  there.clock.advance(0);
  await asked;
  const controller = new AbortController();
  const left = pinger.check(email, { signal: controller.signal });
  const stayed = pinger.check(email);
  controller.abort(new Error('enough'));
  await assert.rejects(left, /^Error: enough$/);
  release();
  assert.equal((await stayed).kind, 'online');
  assert.equal(house.requests.length, 1);
});

test('a stranger can be checked, and is not watched', async () => {
  await using house = await httpsServer(bob, shared);
  await using there = await world(house);
  there.friends.remove(email);
  const pinger = there.start();
  const result = await pinger.check(email);
  assert.equal(result.kind, 'online');
  assert.equal(pinger.resultOf(email), undefined);
  assert.deepEqual(there.clock.delaysMs, []);
});

test('new friends are asked at once, former ones no more, and after the end nobody', async () => {
  await using house = await httpsServer(bob, shared);
  await using there = await world(house);
  const { clock, friends } = there;
  friends.remove(email);
  const pinger = there.start();
  assert.deepEqual(clock.delaysMs, []);
  await friends.add(email);
  await nextCheck(pinger, clock);
  friends.remove(email);
  assert.equal(pinger.resultOf(email), undefined);
  await friends.add(email);
  await nextCheck(pinger, clock);
  await pinger[Symbol.asyncDispose]();
  assert.deepEqual(clock.delaysMs, []);
  assert.equal(house.requests.length, 2);
});

test('the end does not wait for a check that hangs', async () => {
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
  await using house = await httpsServer(bob, () => onAsked());
  await using there = await world(house);
  const pinger = there.start();
  there.clock.advance(0);
  await asked;
  await pinger[Symbol.asyncDispose]();
});
