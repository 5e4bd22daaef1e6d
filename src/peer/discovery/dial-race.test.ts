import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import type { Identity } from '../../identity/key-store.ts';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { ManualClock } from '../../util/testing/manual-clock.ts';
import { expectedOf, pinOf } from '../state/known-peers.ts';
import { answerJson, httpsServer } from '../testing/https-server.ts';
import type { Candidate } from './dial-order.ts';
import { type DialOutcome, DialRace } from './dial-race.ts';

const [ann, bob, eve, falseBob] = (await Promise.all(
  ['ann@example.com', 'bob@example.com', 'eve@example.com', 'bob@example.com'].map((email) =>
    testIdentity(email),
  ),
)) as [Identity, Identity, Identity, Identity];

const houseOf = (identity: Identity, host = '127.0.0.1') =>
  httpsServer(identity, answerJson(200, {}), { host });

/** Takes connections and says nothing: a firewall that drops, as far as a visitor can see. */
async function silentServer() {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.resume().on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    server,
    sockets,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function raceForBob(clock?: ManualClock, signal?: AbortSignal): DialRace {
  return new DialRace({
    email: 'bob@example.com',
    expected: expectedOf(pinOf(bob.claims)),
    identity: ann,
    clock,
    signal,
  });
}

const at = ({ host, port }: { host: string; port: number }): Candidate => ({
  host,
  port,
  origin: 'announced',
});

function outcomes({ attempts }: DialOutcome): string[] {
  return attempts.map(({ outcome }) => outcome);
}

test('the first address that answers rightly wins, over IPv4 and IPv6', async () => {
  for (const host of ['127.0.0.1', '127.0.0.77', '::1']) {
    await using house = await houseOf(bob, host);
    const race = raceForBob();
    race.add([at(house)]);
    race.close();
    const { winner, attempts } = await race.outcome;
    assert.ok(winner);
    assert.deepEqual(winner.claims, bob.claims);
    assert.equal(attempts[0]?.outcome, 'won');
    winner.socket.destroy();
  }
});

test('an address that fails is followed by the next at once', async () => {
  await using house = await houseOf(bob);
  await using closed = await silentServer();
  closed.server.close();
  // Time stands still: only the failure can start the second attempt.
  const race = raceForBob(new ManualClock());
  race.add([at(closed), at(house)]);
  race.close();
  const outcome = await race.outcome;
  assert.deepEqual(outcomes(outcome), ['failed', 'won']);
  assert.match(outcome.attempts[0]?.detail ?? '', /nothing listens there/);
  outcome.winner?.socket.destroy();
});

test('an address that keeps silent is joined by the next after 250 ms, and cut off when that one wins', async () => {
  await using house = await houseOf(bob);
  await using silent = await silentServer();
  const clock = new ManualClock();
  const race = raceForBob(clock);
  race.add([at(silent), at(house)]);
  race.close();
  await once(silent.server, 'connection');
  clock.advance(249);
  assert.equal(house.connections, 0);
  clock.advance(1);
  const outcome = await race.outcome;
  assert.deepEqual(
    outcome.attempts.map((attempt) => [attempt.outcome, attempt.detail]),
    [
      ['won', 'answered with the expected certificate'],
      ['abandoned', 'another address was faster'],
    ],
  );
  const [loser] = silent.sockets;
  if (loser?.destroyed === false) await once(loser, 'close');
  assert.deepEqual(clock.delaysMs, []);
  outcome.winner?.socket.destroy();
});

test('an impostor never wins, gets no request, and is told apart from a stranger', async () => {
  await using impostor = await houseOf(falseBob);
  await using stranger = await houseOf(eve);
  const race = raceForBob();
  race.add([at(stranger), at(impostor)]);
  race.close();
  const { winner, attempts } = await race.outcome;
  assert.equal(winner, undefined);
  assert.deepEqual(
    attempts.map(({ outcome, presented }) => [outcome, presented]),
    [
      ['somebody_else', eve.claims.fingerprint],
      ['identity_changed', falseBob.claims.fingerprint],
    ],
  );
  assert.deepEqual([impostor.requests, stranger.requests], [[], []]);
});

test('the right one wins behind an impostor, with a renewed certificate too', async () => {
  const renewed = await testIdentity('bob@example.com', bob);
  await using impostor = await houseOf(falseBob);
  await using house = await houseOf(renewed);
  const race = raceForBob();
  race.add([at(impostor), at(house)]);
  race.close();
  const outcome = await race.outcome;
  assert.deepEqual(outcomes(outcome), ['identity_changed', 'won']);
  assert.deepEqual(outcome.winner?.claims, renewed.claims);
  outcome.winner?.socket.destroy();
});

test('the pinned key under another e-mail is not the peer', async () => {
  const renamed = await testIdentity('mallory@example.com', bob);
  await using house = await houseOf(renamed);
  const race = raceForBob();
  race.add([at(house)]);
  race.close();
  const { winner, attempts } = await race.outcome;
  assert.equal(winner, undefined);
  assert.equal(attempts[0]?.detail, 'its certificate is for another e-mail');
});

test('a race is lost after ten seconds, and says what it waited for', async () => {
  await using silent = await silentServer();
  const clock = new ManualClock();
  const race = raceForBob(clock);
  race.add([at(silent)]);
  race.close();
  await once(silent.server, 'connection');
  clock.advance(10_000);
  const { winner, attempts } = await race.outcome;
  assert.equal(winner, undefined);
  assert.deepEqual(attempts, [
    {
      address: `127.0.0.1:${silent.port}`,
      origin: 'announced',
      outcome: 'failed',
      detail: 'no answer within 10 s',
      elapsedMs: 10_000,
    },
  ]);
});

test('addresses may come late, and a race without any is lost when it is closed', async () => {
  await using house = await houseOf(bob);
  await using closed = await silentServer();
  closed.server.close();
  const race = raceForBob(new ManualClock());
  race.add([at(closed)]);
  await race.stalled;
  race.add([at(closed), at(house)]);
  race.close();
  const outcome = await race.outcome;
  assert.deepEqual(outcomes(outcome), ['failed', 'won']);
  outcome.winner?.socket.destroy();

  const empty = raceForBob(new ManualClock());
  empty.close();
  assert.deepEqual(await empty.outcome, { winner: undefined, attempts: [] });
});

test('a race that is called off ends its connections and rejects with the reason', async () => {
  await using silent = await silentServer();
  const controller = new AbortController();
  const clock = new ManualClock();
  const race = raceForBob(clock, controller.signal);
  race.add([at(silent), at(silent)]);
  const [socket] = (await once(silent.server, 'connection')) as [Socket];
  controller.abort(new Error('enough'));
  await assert.rejects(race.outcome, /^Error: enough$/);
  if (!socket.destroyed) await once(socket, 'close');
  assert.deepEqual(clock.delaysMs, []);
  await assert.rejects(raceForBob(clock, controller.signal).outcome, /^Error: enough$/);
});
