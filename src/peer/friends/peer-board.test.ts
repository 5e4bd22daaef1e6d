import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { test } from 'node:test';
import pino from 'pino';
import type { Identity } from '../../identity/key-store.ts';
import { safetyWords } from '../../identity/safety-words.ts';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { ManualClock } from '../../util/testing/manual-clock.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { type Peer, PeerSchema } from '../../wire/local-api.ts';
import { relayPaths } from '../../wire/relay-http.ts';
import { Discovery } from '../discovery/discovery.ts';
import { DiscoveryError } from '../discovery/discovery-error.ts';
import { pinOf } from '../state/known-peers.ts';
import { StateStore } from '../state/state-store.ts';
import { answerJson, httpsServer } from '../testing/https-server.ts';
import { pretendRelay } from '../testing/test-relay.ts';
import { FriendBook } from './friend-book.ts';
import { PeerBoard } from './peer-board.ts';
import { Pinger } from './pinger.ts';

const [ann, bob, carol, falseBob] = (await Promise.all(
  ['ann@example.com', 'bob@example.com', 'carol@example.com', 'bob@example.com'].map((email) =>
    testIdentity(email),
  ),
)) as [Identity, Identity, Identity, Identity];
const log = pino({ level: 'silent' });
const lastSeen = '2026-01-01T00:00:00Z';

/** Ann, and a relay that announces these people at their ports, or answers everything with `answer`. */
async function world(portByEmail: Record<string, number> = {}) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const state = stack.use(StateStore.open(folder.path));
  const held: { answer?: RequestListener } = {};
  const announced = (email: string) => ({
    email,
    port: portByEmail[email],
    addresses: ['127.0.0.1'],
    observed_address: '127.0.0.1',
    capabilities: [],
    last_seen: lastSeen,
  });
  const relay = stack.use(
    await pretendRelay(ann, (request, response) => {
      const url = new URL(request.url ?? '', 'https://relay');
      const email = url.searchParams.get('email') ?? '';
      if (held.answer !== undefined) held.answer(request, response);
      else if (url.pathname === relayPaths.list)
        answerJson(200, Object.keys(portByEmail).map(announced))(request, response);
      else if (!(email in portByEmail)) answerJson(404, { error: 'nobody' })(request, response);
      else if (url.pathname === relayPaths.lookup) answerJson(200, announced(email))(request, response);
      else {
        const { certificatePem, claims } = email === 'bob@example.com' ? bob : carol;
        const certificates = [{ certificate: certificatePem, fingerprint: claims.fingerprint }];
        answerJson(200, { email, certificates })(request, response);
      }
    }),
  );
  const clock = new ManualClock(Date.now());
  const friends = new FriendBook({ ownEmail: 'ann@example.com', state, relay: relay.client, clock });
  const discovery = new Discovery({
    state,
    relay: relay.client,
    identity: () => ann,
    local: () => ({ addresses: [], housePort: undefined }),
    log,
    clock,
  });
  const pinger = stack.use(
    new Pinger({ friends, discovery, identity: () => ann, pingSeconds: 60, log, clock, random: () => 0 }),
  );
  const board = stack.use(new PeerBoard({ state, friends, pinger, relay: relay.client, clock }));
  return {
    state,
    clock,
    friends,
    pinger,
    board,
    relay,
    held,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const houseOf = (identity: Identity) =>
  httpsServer(identity, answerJson(200, { status: 'ok', house: 'shared' }));
const checkedAt = (clock: ManualClock): string => new Date(clock.nowMs()).toISOString();

/** Rows as they travel: what the schema would refuse fails here. */
function parsed(peers: readonly (Peer | undefined)[]): Peer[] {
  return peers.map((peer) => PeerSchema.parse(peer));
}

test('strangers are shown as announced, friends as reachable', async () => {
  await using house = await houseOf(bob);
  await using there = await world({ 'bob@example.com': house.port, 'carol@example.com': 1 });
  const { board, clock, friends } = there;
  await friends.add('bob@example.com');
  const words = { fingerprint: bob.claims.fingerprint, safetyWords: safetyWords(bob.claims.fingerprint) };
  const carolRow = {
    email: 'carol@example.com',
    friend: false,
    status: 'online',
    lastSeen,
    checkedAt: checkedAt(clock),
  };
  assert.deepEqual(parsed((await board.list()).peers), [
    { email: 'bob@example.com', friend: true, status: 'checking', lastSeen, ...words },
    carolRow,
  ]);
  const changed = once(board, 'peerChanged');
  clock.advance(0);
  const [row] = (await changed) as [Peer];
  assert.equal(row.status, 'online');
  const { peers } = await board.list();
  const bobRow = peers[0];
  assert.ok(bobRow?.roundTripMs !== undefined);
  assert.deepEqual(parsed(peers), [
    {
      email: 'bob@example.com',
      friend: true,
      status: 'online',
      address: `127.0.0.1:${house.port}`,
      lastSeen,
      checkedAt: checkedAt(clock),
      roundTripMs: bobRow.roundTripMs,
      ...words,
    },
    carolRow,
  ]);
  assert.deepEqual(
    parsed(board.friends()).map(({ email, status }) => [email, status]),
    [['bob@example.com', 'online']],
  );
});

test('a friend who is announced and does not answer is offline, with the reason', async () => {
  const house = await houseOf(bob);
  await house[Symbol.asyncDispose]();
  await using there = await world({ 'bob@example.com': house.port });
  await there.friends.add('bob@example.com');
  const row = await there.board.peer('bob@example.com', { check: true });
  assert.equal(row?.status, 'offline');
  assert.match(row?.cause ?? '', /is announced, and none of its addresses answers: .*nothing listens there/);
});

test('a changed identity is loud, for friends and others, wherever one looks', async () => {
  await using impostor = await houseOf(falseBob);
  await using there = await world({ 'bob@example.com': impostor.port });
  const { board, friends, state } = there;
  state.peers.pin('bob@example.com', pinOf(bob.claims), 'relay', 1);
  for (const isFriend of [false, true]) {
    if (isFriend) await friends.add('bob@example.com');
    const checked = await board.peer('bob@example.com', { check: true });
    for (const row of parsed([checked, (await board.list()).peers[0], await board.peer('bob@example.com')])) {
      assert.deepEqual(
        [row.status, row.code, row.cause, row.fingerprint, row.changedFingerprint, row.friend],
        [
          'error',
          'identity_changed',
          'identity changed',
          bob.claims.fingerprint,
          falseBob.claims.fingerprint,
          isFriend,
        ],
      );
    }
    state.peers.confirm('bob@example.com', bob.claims, 5);
  }
});

test('while the relay is away friends are listed, and why nobody else is', async () => {
  await using there = await world();
  there.state.peers.pin('bob@example.com', pinOf(bob.claims), 'relay', 1);
  await there.friends.add('bob@example.com');
  there.held.answer = answerJson(503, { error: 'the relay is busy' });
  const { peers, relayProblem } = await there.board.list();
  assert.deepEqual(
    peers.map(({ email }) => email),
    ['bob@example.com'],
  );
  assert.match(relayProblem ?? '', /cannot serve now: the relay is busy/);
  delete there.held.answer;
  assert.equal((await there.board.list()).relayProblem, undefined);
});

test('who asks often does not ask the relay often', async () => {
  await using there = await world();
  await Promise.all([there.board.list(), there.board.list()]);
  assert.equal(there.relay.server.requests.length, 1);
  there.clock.advance(2000);
  await there.board.list();
  assert.equal(there.relay.server.requests.length, 2);
});

test('a stranger is shown when announced, checked when asked to, and unknown otherwise', async () => {
  await using house = await houseOf(carol);
  await using there = await world({ 'carol@example.com': house.port });
  const { board, held, state } = there;
  const announced = await board.peer('carol@example.com');
  assert.deepEqual([announced?.status, announced?.friend, announced?.lastSeen], ['online', false, lastSeen]);
  assert.equal(state.peers.get('carol@example.com'), undefined);
  const checked = await board.peer('carol@example.com', { check: true });
  assert.equal(checked?.address, `127.0.0.1:${house.port}`);
  assert.equal(checked?.fingerprint, carol.claims.fingerprint);
  const [listed] = (await board.list()).peers;
  assert.deepEqual([listed?.address, listed?.fingerprint], [checked?.address, checked?.fingerprint]);
  assert.equal(await board.peer('nobody@example.com'), undefined);

  held.answer = answerJson(404, { error: 'nobody' });
  const away = await board.peer('carol@example.com');
  assert.deepEqual([away?.status, away?.cause], ['offline', 'is not announced at the relay now']);
  held.answer = answerJson(503, { error: 'the relay is busy' });
  const unknown = await board.peer('carol@example.com');
  assert.deepEqual([unknown?.status, unknown?.code], ['error', 'relay_away']);
  await assert.rejects(
    board.peer('nobody@example.com'),
    (error) => error instanceof DiscoveryError && error.code === 'relay_away',
  );
});
