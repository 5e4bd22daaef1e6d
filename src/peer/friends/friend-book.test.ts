import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { createIdentity } from '../../identity/create-identity.ts';
import { checkIdentity, type Identity } from '../../identity/key-store.ts';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { ManualClock } from '../../util/testing/manual-clock.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { pinOf } from '../state/known-peers.ts';
import { StateStore } from '../state/state-store.ts';
import { answerJson } from '../testing/https-server.ts';
import { pretendRelay } from '../testing/test-relay.ts';
import { FriendBook } from './friend-book.ts';
import { FriendError } from './friend-error.ts';

const email = 'bob@example.com';
const [ann, bob, otherBob] = (await Promise.all(
  ['ann@example.com', email, email].map((address) => testIdentity(address)),
)) as [Identity, Identity, Identity];
const renewedBob = await testIdentity(email, bob);
const bobFingerprint = bob.claims.fingerprint;
const otherFingerprint = otherBob.claims.fingerprint;

/** Ann's book, and a relay that has these certificates of Bob; none: it knows nobody; undefined: it is away. */
async function world(...registered: (Identity | undefined)[]) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const state = stack.use(StateStore.open(folder.path));
  const certificates = registered.flatMap((identity) =>
    identity === undefined
      ? []
      : [{ certificate: identity.certificatePem, fingerprint: identity.claims.fingerprint }],
  );
  const answer = registered.includes(undefined)
    ? answerJson(503, { error: 'the relay is busy' })
    : registered.length === 0
      ? answerJson(404, { error: 'no such client is registered' })
      : answerJson(200, { email, certificates });
  const relay = stack.use(await pretendRelay(ann, answer));
  const clock = new ManualClock(Date.now());
  const book = new FriendBook({ ownEmail: 'ann@example.com', state, relay: relay.client, clock });
  const events: string[] = [];
  for (const name of ['friendAdded', 'friendRemoved', 'friendChanged'] as const)
    book.on(name, (who) => events.push(`${name} ${who}`));
  return { state, book, clock, events, relay, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const failsWith = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof FriendError, String(error));
  assert.match(error.message, message);
  assert.equal(error.code, code);
  return true;
};

test('a friend is added on the relay’s word, recognised, and removed', async () => {
  await using there = await world(bob);
  const { book, events, state } = there;
  const friend = await book.add(email);
  assert.equal(friend.fingerprint, bobFingerprint);
  assert.equal(friend.origin, 'relay');
  assert.deepEqual(book.friends(), [friend]);
  assert.equal(book.recognise(bob.claims), true);
  assert.equal(book.recognise(otherBob.claims), false);
  await book.add(email);
  book.remove(email);
  assert.equal(book.recognise(bob.claims), false);
  assert.deepEqual(book.friends(), []);
  assert.equal(state.peers.get(email)?.fingerprint, bobFingerprint);
  assert.deepEqual(events, [`friendAdded ${email}`, `friendRemoved ${email}`]);
  assert.throws(() => book.remove(email), failsWith('not_found', /not among your friends/));
});

test('a renewed certificate of a friend is recognised and taken note of; the friend’s key under another e-mail is not', async () => {
  await using there = await world(bob);
  await there.book.add(email);
  assert.equal(there.book.recognise(renewedBob.claims), true);
  assert.equal(there.state.peers.get(email)?.fingerprint, renewedBob.claims.fingerprint);
  const renamed = await testIdentity('carol@example.com', bob);
  assert.equal(there.book.recognise(renamed.claims), false);
});

test('a fingerprint that the relay confirms pins the whole certificate', async () => {
  await using there = await world(bob);
  const friend = await there.book.add(email, {
    fingerprint: bobFingerprint.toUpperCase().replaceAll(/..(?=.)/g, '$&:'),
  });
  assert.equal(friend.origin, 'user');
  assert.equal(friend.publicKeyHash, bob.claims.publicKeyHash);
});

test('a fingerprint is enough while the relay is away or knows nobody', async () => {
  for (const registered of [[undefined], []]) {
    await using there = await world(...registered);
    const friend = await there.book.add(email, { fingerprint: bobFingerprint });
    assert.equal(friend.publicKeyHash, undefined);
    assert.equal(there.book.recognise(bob.claims), true);
    assert.equal(there.book.friends()[0]?.publicKeyHash, bob.claims.publicKeyHash);
  }
});

test('a fingerprint that the relay contradicts is refused, and nothing is pinned', async () => {
  await using there = await world(otherBob);
  await assert.rejects(
    there.book.add(email, { fingerprint: bobFingerprint }),
    failsWith('identity_changed', /The relay knows bob@example\.com by another certificate/),
  );
  assert.equal(there.state.peers.get(email), undefined);
});

test('who is added without a fingerprint must be known to the relay, validly and unambiguously', async () => {
  const expired = checkIdentity(await createIdentity(email, { validityMs: -1000 }), 'a test');
  const cases: readonly (readonly [registered: (Identity | undefined)[], code: string, message: RegExp])[] = [
    [[], 'not_found', /Nobody is registered/],
    [[undefined], 'relay_away', /Give the fingerprint of your friend/],
    [[expired], 'failed', /has expired/],
    [[bob, otherBob], 'bad_request', /several keys/],
  ];
  for (const [registered, code, message] of cases) {
    await using there = await world(...registered);
    await assert.rejects(there.book.add(email), failsWith(code, message));
    assert.deepEqual(there.book.friends(), []);
  }
  await using there = await world(expired, bob, renewedBob);
  assert.equal((await there.book.add(email)).publicKeyHash, bob.claims.publicKeyHash);
});

test('who was met before is added by the key that was pinned then, whatever the relay says now', async () => {
  await using there = await world(otherBob);
  there.state.peers.pin(email, pinOf(bob.claims), 'relay', 1);
  assert.equal((await there.book.add(email)).fingerprint, bobFingerprint);
  assert.deepEqual(there.relay.server.requests, []);
});

test('a changed identity is accepted only by its fingerprint, and only when the user says so', async () => {
  await using there = await world(otherBob);
  const { book, events, state } = there;
  state.peers.pin(email, pinOf(bob.claims), 'relay', 1);
  await book.add(email);
  state.peers.markChanged(email, otherFingerprint, 2);
  const isChanged = failsWith('identity_changed', /is known by the certificate .* is another one/);
  await assert.rejects(book.add(email), isChanged);
  await assert.rejects(book.add(email, { fingerprint: otherFingerprint }), isChanged);
  await assert.rejects(
    book.add(email, { acceptChange: true }),
    failsWith('bad_request', /needs the new fingerprint/),
  );
  assert.equal(state.peers.get(email)?.fingerprint, bobFingerprint);

  const friend = await book.add(email, { fingerprint: otherFingerprint, acceptChange: true });
  assert.equal(friend.fingerprint, otherFingerprint);
  assert.equal(friend.changed, undefined);
  assert.equal(book.recognise(bob.claims), false);
  assert.deepEqual(events, [`friendAdded ${email}`, `friendChanged ${email}`]);
});

test('the pinned fingerprint, confirmed by the user, settles a change as a false alarm', async () => {
  await using there = await world(otherBob);
  there.state.peers.pin(email, pinOf(bob.claims), 'relay', 1);
  there.state.peers.markChanged(email, otherFingerprint, 2);
  const friend = await there.book.add(email, { fingerprint: bobFingerprint });
  assert.equal(friend.changed, undefined);
  assert.equal(friend.fingerprint, bobFingerprint);
});

test('the fingerprint of a renewed certificate is no change', async () => {
  await using there = await world(renewedBob);
  there.state.peers.pin(email, pinOf(bob.claims), 'relay', 1);
  const friend = await there.book.add(email, { fingerprint: renewedBob.claims.fingerprint });
  assert.equal(friend.fingerprint, renewedBob.claims.fingerprint);
});

test('nonsense is refused: oneself, and fingerprints that are none', async () => {
  await using there = await world(bob);
  await assert.rejects(there.book.add('ann@example.com'), failsWith('bad_request', /is you/));
  for (const fingerprint of ['', 'abc', `${bobFingerprint}0`, 'z'.repeat(64)])
    await assert.rejects(there.book.add(email, { fingerprint }), failsWith('bad_request', /64 hexadecimal/));
});

test('a visitor who knocks is announced once, accepted with the key that was proved, and then a friend', async () => {
  await using there = await world(undefined);
  const { book } = there;
  const arrived = once(book, 'requestArrived');
  book.recordRequest(bob.claims, '192.168.1.9');
  const [request] = (await arrived) as [{ fingerprint: string; address: string }];
  assert.deepEqual([request.fingerprint, request.address], [bobFingerprint, '192.168.1.9']);
  assert.equal(book.requestsWaiting, 1);
  const friend = book.accept(email);
  assert.equal(friend.origin, 'request');
  assert.equal(friend.publicKeyHash, bob.claims.publicKeyHash);
  assert.equal(book.recognise(bob.claims), true);
  assert.deepEqual(book.requests(), []);
  assert.throws(() => book.accept(email), failsWith('not_found', /No request/));
});

test('an accepted request never replaces a pinned key, and one of two keys is not guessed', async () => {
  await using there = await world(undefined);
  const { book, state } = there;
  book.recordRequest(bob.claims, '192.168.1.9');
  book.recordRequest(otherBob.claims, '192.168.1.66');
  assert.throws(() => book.accept(email), failsWith('bad_request', /Several keys knock as bob@example\.com/));
  book.refuse(email);
  assert.equal(book.requestsWaiting, 0);
  assert.throws(() => book.refuse(email), failsWith('not_found', /No request/));

  state.requests.forget(email);
  state.peers.pin(email, pinOf(bob.claims), 'relay', 1);
  book.recordRequest(otherBob.claims, '192.168.1.66');
  assert.throws(() => book.accept(email), failsWith('identity_changed', /is another one/));
  assert.equal(state.peers.get(email)?.fingerprint, bobFingerprint);
});

test('who was refused is not announced again, and adding somebody answers their request', async () => {
  await using there = await world(bob);
  const { book, clock } = there;
  let arrivals = 0;
  book.on('requestArrived', () => (arrivals += 1));
  book.recordRequest(bob.claims, '192.168.1.9');
  book.refuse(email);
  clock.advance(3_600_000);
  book.recordRequest(bob.claims, '192.168.1.9');
  assert.equal(arrivals, 1);
  assert.equal(book.requestsWaiting, 0);
  book.recordRequest(ann.claims, '127.0.0.1');
  assert.equal(book.requestsWaiting, 0);

  book.recordRequest(otherBob.claims, '192.168.1.66');
  await book.add(email);
  assert.deepEqual(book.requests(), []);
});
