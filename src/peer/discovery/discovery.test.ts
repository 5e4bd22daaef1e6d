import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import pino from 'pino';
import type { Identity } from '../../identity/key-store.ts';
import { PinnedClient, readBody } from '../../identity/pinned-client.ts';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { runRelay } from '../../relay/run-relay.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { formatRelayUrl, parseRelayUrl } from '../../wire/relay-url.ts';
import { RelayClient } from '../relay-client/relay-client.ts';
import { pinOf } from '../state/known-peers.ts';
import { StateStore } from '../state/state-store.ts';
import { answerJson, httpsServer, type TestHttpsServer } from '../testing/https-server.ts';
import { Discovery } from './discovery.ts';
import { DiscoveryError } from './discovery-error.ts';

const bobEmail = 'bob@example.com';
const [ann, bob, falseBob, eve] = (await Promise.all(
  ['ann@example.com', bobEmail, bobEmail, 'eve@example.com'].map((email) => testIdentity(email)),
)) as [Identity, Identity, Identity, Identity];

const houseOf = (identity: Identity, options: { host?: string; port?: number } = {}) =>
  httpsServer(identity, answerJson(200, { status: 'ok' }), options);

/** A relay, Ann with her state and discovery, and Bob as the relay knows him. */
async function world() {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const relay = stack.use(await runRelay({ port: 0, host: '127.0.0.1', dataFolder: `${folder.path}/relay` }));
  const url = parseRelayUrl(formatRelayUrl(`https://127.0.0.1:${relay.port}`, relay.fingerprint));
  const state = stack.use(StateStore.open(`${folder.path}/ann`));
  const annClient = stack.use(new RelayClient({ url, identity: ann }));
  await annClient.register();
  const discovery = new Discovery({
    state,
    relay: annClient,
    identity: () => ann,
    local: () => ({ addresses: [], housePort: undefined }),
    log: pino({ level: 'silent' }),
  });
  return {
    state,
    relay,
    discovery,
    /** Registers and announces somebody, at several places of which the last is told first. */
    async announce(identity: Identity, ...places: TestHttpsServer[]) {
      using client = new RelayClient({ url, identity });
      await client.register();
      const [first] = places;
      if (first !== undefined)
        await client.ready({ port: first.port, addresses: places.map(({ host }) => host) });
    },
    async withdraw(identity: Identity) {
      using client = new RelayClient({ url, identity });
      await client.withdraw();
    },
    /** Where Bob was last, and who he is. */
    meet(identity: Identity, place: { host: string; port: number } | undefined) {
      state.peers.pin(identity.claims.email, pinOf(identity.claims), 'relay', 1);
      if (place !== undefined) state.addresses.put(identity.claims.email, place.host, place.port, 1);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function connects(discovery: Discovery): Promise<string> {
  const route = await discovery.connect(bobEmail);
  route.firstSocket.destroy();
  assert.equal(route.via, 'direct');
  return route.address;
}

const failsWith = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof DiscoveryError, String(error));
  assert.match(error.message, message);
  assert.equal(error.code, code);
  return true;
};

test('somebody never met is found through the relay, pinned, and found again without it', async () => {
  await using there = await world();
  const { discovery, relay, state } = there;
  await using house = await houseOf(bob, { host: '127.0.0.3' });
  await there.announce(bob, house);
  const route = await discovery.connect(bobEmail);
  assert.equal(route.address, `127.0.0.3:${house.port}`);
  assert.deepEqual(route.claims, bob.claims);
  using client = new PinnedClient({ ...route, identity: ann });
  const response = await client.send({ method: 'GET', path: '/health' });
  assert.equal(await readBody(response, 1000), '{"status":"ok"}');
  assert.equal(house.connections, 1);
  assert.equal(state.peers.get(bobEmail)?.origin, 'relay');
  assert.equal(state.peers.get(bobEmail)?.fingerprint, bob.claims.fingerprint);

  await relay[Symbol.asyncDispose]();
  assert.equal(await connects(discovery), `127.0.0.3:${house.port}`);
});

test('the last address is tried before the relay is asked', async () => {
  await using there = await world();
  await using last = await houseOf(bob);
  await using announced = await houseOf(bob, { host: '127.0.0.4' });
  there.meet(bob, last);
  await there.announce(bob, announced);
  assert.equal(await connects(there.discovery), `127.0.0.1:${last.port}`);
  assert.equal(announced.connections, 0);
});

test('when the last address is silent or refused, the newest from the relay is tried and remembered', async () => {
  const silent = createServer((socket) => socket.resume().on('error', () => {}));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  for (const isSilent of [true, false]) {
    if (!isSilent) silent.close();
    await using there = await world();
    await using house = await houseOf(bob);
    there.meet(bob, { host: '127.0.0.1', port });
    await there.announce(bob, house);
    assert.equal(await connects(there.discovery), `127.0.0.1:${house.port}`);
    assert.equal(there.state.addresses.get(bobEmail)?.port, house.port);
  }
});

test('a stranger who has the last address now is passed by, and no change of identity is reported', async () => {
  await using there = await world();
  await using stranger = await houseOf(eve);
  await using house = await houseOf(bob);
  there.meet(bob, stranger);
  await there.announce(bob);
  await assert.rejects(
    there.discovery.connect(bobEmail),
    failsWith(
      'unreachable',
      /does not answer where it was last: 127\.0\.0\.1:\d+ \(another machine has this address here\)/,
    ),
  );
  assert.equal(there.state.peers.get(bobEmail)?.changed, undefined);
  await there.announce(bob, house);
  assert.equal(await connects(there.discovery), `127.0.0.1:${house.port}`);
  assert.deepEqual(stranger.requests, []);
});

test('another key under a pinned e-mail is a change of identity, and void when the pinned key proves itself', async () => {
  await using there = await world();
  const { discovery, state } = there;
  await using house = await houseOf(bob);
  await there.announce(bob, house);
  {
    await using impostor = await houseOf(falseBob, { host: '127.0.0.6' });
    there.meet(bob, impostor);
    await there.withdraw(bob);
    const error: unknown = await discovery.connect(bobEmail).catch((thrown: unknown) => thrown);
    failsWith('identity_changed', /identity of bob@example\.com has changed/)(error);
    assert.ok(error instanceof DiscoveryError);
    assert.equal(error.presented, falseBob.claims.fingerprint);
    assert.equal(error.attempts[0]?.outcome, 'identity_changed');
    assert.equal(state.peers.get(bobEmail)?.changed?.fingerprint, falseBob.claims.fingerprint);
    assert.equal(state.peers.get(bobEmail)?.fingerprint, bob.claims.fingerprint);
    assert.deepEqual(impostor.requests, []);
    // Beside the impostor, the right one still wins.
    await there.announce(bob, house);
    assert.equal(await connects(discovery), `127.0.0.1:${house.port}`);
  }
  assert.equal(state.peers.get(bobEmail)?.changed, undefined);
});

test('at the first contact, who is not what the relay says is not pinned', async () => {
  await using there = await world();
  await using impostor = await houseOf(falseBob);
  await there.announce(bob, impostor);
  await assert.rejects(
    there.discovery.connect(bobEmail),
    failsWith('identity_changed', /Somebody answers as bob@example\.com with the certificate/),
  );
  assert.equal(there.state.peers.get(bobEmail), undefined);
  assert.deepEqual(impostor.requests, []);
});

test('a relay that has only another key for a pinned peer who does not answer means a change of identity', async () => {
  await using there = await world();
  const closed = await houseOf(falseBob);
  await closed[Symbol.asyncDispose]();
  there.meet(bob, undefined);
  await there.announce(falseBob, closed);
  await assert.rejects(
    there.discovery.connect(bobEmail),
    failsWith('identity_changed', new RegExp(falseBob.claims.fingerprint)),
  );
  assert.equal(there.state.peers.get(bobEmail)?.changed?.fingerprint, falseBob.claims.fingerprint);
});

test('a renewed certificate of a pinned key is accepted and pinned in its place', async () => {
  await using there = await world();
  const renewed = await testIdentity(bobEmail, bob);
  await using house = await houseOf(renewed);
  there.meet(bob, house);
  await connects(there.discovery);
  assert.equal(there.state.peers.get(bobEmail)?.fingerprint, renewed.claims.fingerprint);
});

test('who is not registered is not found, who is not announced is unreachable', async () => {
  await using there = await world();
  await assert.rejects(there.discovery.connect(bobEmail), failsWith('not_found', /Nobody is registered/));
  await there.announce(bob);
  await assert.rejects(
    there.discovery.connect(bobEmail),
    failsWith('unreachable', /is not announced at the relay now/),
  );
});

test('without the relay, people never met and people without a last address cannot be found', async () => {
  await using there = await world();
  await there.relay[Symbol.asyncDispose]();
  await assert.rejects(there.discovery.connect(bobEmail), failsWith('relay_away', /nothing listens there/));
  there.meet(bob, undefined);
  await assert.rejects(there.discovery.connect(bobEmail), failsWith('relay_away', /nothing listens there/));
  there.meet(bob, { host: '127.0.0.1', port: there.relay.port });
  await assert.rejects(
    there.discovery.connect(bobEmail),
    failsWith(
      'unreachable',
      /does not answer where it was last: .* There may be a newer address, but: The relay/,
    ),
  );
});

test('a visit that is called off rejects with the reason', async () => {
  await using there = await world();
  const silent = createServer((socket) => socket.resume().on('error', () => {}));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  there.meet(bob, { host: '127.0.0.1', port: (silent.address() as { port: number }).port });
  const controller = new AbortController();
  const pending = there.discovery.connect(bobEmail, { signal: controller.signal });
  await once(silent, 'connection');
  controller.abort(new Error('enough'));
  await assert.rejects(pending, /^Error: enough$/);
  silent.close();
});
