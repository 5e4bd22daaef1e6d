import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { knownAddressesMax } from './known-addresses.ts';
import { firstUsePinsMax, matchesPin, pinOf } from './known-peers.ts';
import { StateStore } from './state-store.ts';
import { waitingRequestsMax } from './visitor-requests.ts';

const minuteMs = 60_000;
const fingerprint = (n: number): string => n.toString(16).padStart(64, '0');

async function openState() {
  const folder = await temporaryFolder();
  const state = StateStore.open(folder.path);
  return {
    state,
    async [Symbol.asyncDispose]() {
      state[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test('a renewed certificate for the pinned key replaces the pinned one, and voids a change that somebody else showed', async () => {
  await using opened = await openState();
  const { peers } = opened.state;
  const bob = await testIdentity('bob@example.com');
  const renewed = await testIdentity('bob@example.com', bob);
  assert.notEqual(renewed.claims.fingerprint, bob.claims.fingerprint);
  peers.pin('bob@example.com', pinOf(bob.claims), 'relay', 1);
  peers.markChanged('bob@example.com', fingerprint(7), 2);
  assert.deepEqual(
    peers.all().map(({ changed }) => changed),
    [{ fingerprint: fingerprint(7), seenAtMs: 2 }],
  );
  peers.confirm('bob@example.com', renewed.claims, 3);
  const known = peers.get('bob@example.com');
  assert.ok(known);
  assert.equal(known.changed, undefined);
  assert.equal(known.certificatePem, renewed.claims.pem);
  assert.ok(matchesPin(known, renewed.claims));
});

test('a pin by fingerprint alone is completed at the first contact', async () => {
  await using opened = await openState();
  const { peers } = opened.state;
  const { claims } = await testIdentity('bob@example.com');
  peers.pin(claims.email, { fingerprint: claims.fingerprint }, 'user', 1);
  assert.deepEqual(peers.get(claims.email), {
    email: claims.email,
    fingerprint: claims.fingerprint,
    origin: 'user',
    pinnedAtMs: 1,
  });
  peers.confirm(claims.email, claims, 2);
  assert.equal(peers.get(claims.email)?.publicKeyHash, claims.publicKeyHash);
});

test('who is a friend no more stays pinned', async () => {
  await using opened = await openState();
  const { peers } = opened.state;
  peers.pin('bob@example.com', { fingerprint: fingerprint(1) }, 'user', 1);
  assert.equal(peers.makeFriend('bob@example.com', 2), true);
  assert.equal(peers.makeFriend('bob@example.com', 3), false);
  assert.equal(peers.unmakeFriend('bob@example.com'), true);
  assert.equal(peers.unmakeFriend('bob@example.com'), false);
  assert.equal(peers.get('bob@example.com')?.fingerprint, fingerprint(1));
});

test('pins of first use are bounded, friends are not among those forgotten', async () => {
  await using opened = await openState();
  const { state } = opened;
  state.transaction(() => {
    state.peers.pin('friend@example.com', { fingerprint: fingerprint(1) }, 'user', 0);
    state.peers.makeFriend('friend@example.com', 0);
    for (let n = 0; n <= firstUsePinsMax; n += 1)
      state.peers.pin(`p${n}@example.com`, { fingerprint: fingerprint(n) }, 'relay', 1 + n);
  });
  assert.equal(state.peers.get('p0@example.com'), undefined);
  assert.ok(state.peers.get('p1@example.com'));
  assert.ok(state.peers.get('friend@example.com'));
});

test('a visitor who knocks again is counted once a minute, and is new only once', async () => {
  await using opened = await openState();
  const { requests } = opened.state;
  const { claims } = await testIdentity('bob@example.com');
  assert.equal(requests.record(claims, '192.168.1.5', 0), true);
  assert.equal(requests.record(claims, '192.168.1.6', minuteMs - 1), false);
  assert.equal(requests.record(claims, '192.168.1.7', minuteMs), false);
  assert.deepEqual(requests.waiting(), [
    {
      email: 'bob@example.com',
      fingerprint: claims.fingerprint,
      publicKeyHash: claims.publicKeyHash,
      certificatePem: claims.pem,
      address: '192.168.1.7',
      firstAtMs: 0,
      lastAtMs: minuteMs,
      times: 2,
    },
  ]);
});

test('who was refused knocks unheard, with a renewed certificate too', async () => {
  await using opened = await openState();
  const { requests } = opened.state;
  const bob = await testIdentity('bob@example.com');
  const renewed = await testIdentity('bob@example.com', bob);
  requests.record(bob.claims, '192.168.1.5', 0);
  assert.equal(requests.refuse('bob@example.com', 1), 1);
  assert.equal(requests.record(renewed.claims, '192.168.1.5', 5 * minuteMs), false);
  assert.equal(requests.waitingCount(), 0);
  const other = await testIdentity('bob@example.com');
  assert.equal(requests.record(other.claims, '192.168.1.5', 6 * minuteMs), true);
  assert.equal(requests.waitingCount(), 1);
});

test('the oldest unanswered requests give way to new ones', async () => {
  await using opened = await openState();
  const { requests } = opened.state;
  const { claims } = await testIdentity('bob@example.com');
  for (let n = 0; n <= waitingRequestsMax; n += 1)
    requests.record({ ...claims, email: `p${n}@example.com` }, '192.168.1.5', n);
  assert.equal(requests.waitingCount(), waitingRequestsMax);
  assert.equal(requests.waitingOf('p0@example.com').length, 0);
  assert.equal(requests.waitingOf(`p${waitingRequestsMax}@example.com`).length, 1);
});

test('known addresses are bounded, the longest unverified goes first', async () => {
  await using opened = await openState();
  const { state } = opened;
  state.transaction(() => {
    for (let n = 0; n <= knownAddressesMax; n += 1)
      state.addresses.put(`p${n}@example.com`, '192.168.1.5', 4711, n);
  });
  assert.equal(state.addresses.get('p0@example.com'), undefined);
  assert.deepEqual(state.addresses.get('p1@example.com'), {
    host: '192.168.1.5',
    port: 4711,
    verifiedAtMs: 1,
  });
});

test('an address that moved is written at once, one that was verified again seldom', async () => {
  await using opened = await openState();
  const { addresses } = opened.state;
  addresses.put('bob@example.com', 'fe80::1%eth0', 4711, 0);
  addresses.put('bob@example.com', 'fe80::1%eth0', 4711, minuteMs);
  assert.equal(addresses.get('bob@example.com')?.verifiedAtMs, 0);
  addresses.put('bob@example.com', 'fe80::1%eth0', 4712, minuteMs);
  assert.deepEqual(addresses.get('bob@example.com'), {
    host: 'fe80::1%eth0',
    port: 4712,
    verifiedAtMs: minuteMs,
  });
  addresses.forget('bob@example.com');
  assert.equal(addresses.get('bob@example.com'), undefined);
});
