import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createIdentity, type KeyAndCertificate } from '../../identity/create-identity.ts';
import { AnnouncedPeerSchema, ReadyResponseSchema, relayPaths } from '../../wire/relay-http.ts';
import { type Answer, TestRelay } from '../testing/relay-fixture.ts';

const place = { port: 54_321, addresses: ['192.168.1.50'] };
const startMs = Date.UTC(2026, 0, 1, 12);

async function registered(relay: TestRelay, ...emails: readonly string[]): Promise<KeyAndCertificate[]> {
  return Promise.all(
    emails.map(async (email) => {
      const identity = await createIdentity(email, { nowMs: startMs });
      assert.equal((await relay.register(identity, email)).status, 200);
      return identity;
    }),
  );
}

function emailsOf(answer: Answer): string[] {
  assert.equal(answer.status, 200, answer.text);
  return AnnouncedPeerSchema.array()
    .parse(answer.json())
    .map(({ email }) => email);
}

function broadcastIdOf(answer: Answer): string {
  assert.equal(answer.status, 200, answer.text);
  return ReadyResponseSchema.parse(answer.json()).broadcast_id;
}

/** What an answer shows to who looks for differences: everything but the date. */
function visibleOf({ status, headers, text }: Answer): unknown {
  return { status, headers: { ...headers, date: '' }, text };
}

describe('a broadcast', () => {
  test('is found as it was given, with the address it came from and the time in UTC', async () => {
    await using relay = await TestRelay.start({ nowMs: () => startMs });
    const [me, ann] = (await registered(relay, 'me@example.com', 'ann@example.com')) as [
      KeyAndCertificate,
      KeyAndCertificate,
    ];
    const ready = await relay.ready(ann, {
      port: 65_535,
      addresses: ['192.168.1.50', 'FE80::1', '::ffff:10.0.0.1', '2001:db8:0:0::5'],
      capabilities: ['link/1', "');DROP/**/TABLE/**/clients;--"],
      mood: { of: 'the future' },
    });
    assert.deepEqual(ready.json(), { broadcast_id: broadcastIdOf(ready), expires_in: 3600 });
    const answer = await relay.lookup(me, 'Ann@Example.com');
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json(), {
      email: 'ann@example.com',
      port: 65_535,
      addresses: ['192.168.1.50', 'fe80::1', '10.0.0.1', '2001:db8::5'],
      observed_address: '127.0.0.1',
      capabilities: ['link/1', "');DROP/**/TABLE/**/clients;--"],
      last_seen: '2026-01-01T12:00:00.000Z',
    });
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  });

  test('may hold 16 addresses, or none', async () => {
    await using relay = await TestRelay.start({ nowMs: () => startMs });
    const [me] = (await registered(relay, 'me@example.com')) as [KeyAndCertificate];
    const addresses = Array.from({ length: 16 }, (_, index) => `10.0.0.${index}`);
    for (const some of [addresses, []]) {
      broadcastIdOf(await relay.ready(me, { port: 1, addresses: some }));
      const found = AnnouncedPeerSchema.parse((await relay.lookup(me, 'me@example.com')).json());
      assert.deepEqual(found.addresses, some);
    }
  });

  test('takes the place of the one before: there is one a client', async () => {
    await using relay = await TestRelay.start({ nowMs: () => startMs });
    const [me, ann] = (await registered(relay, 'me@example.com', 'ann@example.com')) as [
      KeyAndCertificate,
      KeyAndCertificate,
    ];
    const first = broadcastIdOf(await relay.ready(ann, place));
    const second = broadcastIdOf(await relay.ready(ann, { port: 4711, addresses: ['10.9.8.7'] }));
    assert.notEqual(first, second);
    const listed = AnnouncedPeerSchema.array().parse((await relay.ask(me, relayPaths.list)).json());
    assert.deepEqual(
      listed.map(({ port, addresses }) => ({ port, addresses })),
      [{ port: 4711, addresses: ['10.9.8.7'] }],
    );
  });

  test('is refreshed by the same bytes again, with a new id and a new time', async () => {
    let nowMs = startMs;
    await using relay = await TestRelay.start({ nowMs: () => nowMs });
    const [me] = (await registered(relay, 'me@example.com')) as [KeyAndCertificate];
    const request = { ...place, announce: 'friends', friends: ['x@y'], capabilities: ['link/1'] };
    const first = broadcastIdOf(await relay.ready(me, request));
    const before = (await relay.lookup(me, 'me@example.com')).json() as object;
    nowMs += 1_800_000;
    assert.notEqual(broadcastIdOf(await relay.ready(me, request)), first);
    const after = (await relay.lookup(me, 'me@example.com')).json() as object;
    assert.deepEqual(after, { ...before, last_seen: '2026-01-01T12:30:00.000Z' });
  });

  test('is withdrawn by DELETE, again and again, by its owner alone', async () => {
    await using relay = await TestRelay.start({ nowMs: () => startMs });
    const [me, ann] = (await registered(relay, 'me@example.com', 'ann@example.com')) as [
      KeyAndCertificate,
      KeyAndCertificate,
    ];
    await relay.ready(me, place);
    await relay.ready(ann, place);
    for (let round = 0; round < 3; round += 1) {
      const answer = await relay.ask(ann, relayPaths.broadcast, { method: 'DELETE' });
      assert.deepEqual([answer.status, answer.text], [204, '']);
    }
    assert.equal((await relay.lookup(me, 'ann@example.com')).status, 404);
    assert.deepEqual(emailsOf(await relay.ask(ann, relayPaths.list)), ['me@example.com']);
    broadcastIdOf(await relay.ready(ann, place));
    assert.deepEqual(emailsOf(await relay.ask(me, relayPaths.list)), ['ann@example.com']);
  });

  test('of one account is the same from any of its devices', async () => {
    await using relay = await TestRelay.start({ nowMs: () => startMs });
    const [phone, ann] = (await registered(relay, 'me@example.com', 'ann@example.com')) as [
      KeyAndCertificate,
      KeyAndCertificate,
    ];
    const laptop = await createIdentity('me@example.com', { nowMs: startMs });
    await relay.register(laptop, 'me@example.com', phone);
    await relay.ready(phone, place);
    await relay.ready(laptop, { ...place, port: 4711 });
    assert.deepEqual(emailsOf(await relay.ask(ann, relayPaths.list)), ['me@example.com']);
    assert.deepEqual(emailsOf(await relay.ask(laptop, relayPaths.list)), []);
    await relay.ask(phone, relayPaths.broadcast, { method: 'DELETE' });
    assert.equal((await relay.lookup(ann, 'me@example.com')).status, 404);
  });
});

describe('who sees a broadcast', () => {
  const friends = ['Friend@Example.com'];
  for (const [announce, request, seenBy] of [
    ['by default', {}, ['friend', 'stranger']],
    ['announced to all', { announce: 'all' }, ['friend', 'stranger']],
    ['announced to all, with friends named', { announce: 'all', friends }, ['friend', 'stranger']],
    ['announced to friends', { announce: 'friends', friends }, ['friend']],
    ['announced to friends, of whom none is named', { announce: 'friends' }, []],
    ['announced to nobody', { announce: 'none' }, []],
    ['announced to nobody, with friends named', { announce: 'none', friends }, []],
  ] as const) {
    test(`${announce}: ${seenBy.join(' and ') || 'nobody'} in look-up and list, and its owner in look-up`, async () => {
      await using relay = await TestRelay.start({ nowMs: () => startMs });
      const [me, friend, stranger] = (await registered(
        relay,
        'me@example.com',
        'friend@example.com',
        'stranger@example.com',
      )) as [KeyAndCertificate, KeyAndCertificate, KeyAndCertificate];
      // Seen by everybody first: what is hidden later must go.
      await relay.ready(me, place);
      broadcastIdOf(await relay.ready(me, { ...place, ...request }));
      for (let round = 0; round < 2; round += 1) {
        for (const [name, viewer] of [
          ['friend', friend],
          ['stranger', stranger],
        ] as const) {
          const isSeen = (seenBy as readonly string[]).includes(name);
          assert.equal((await relay.lookup(viewer, 'me@example.com')).status, isSeen ? 200 : 404, name);
          const expected = isSeen ? ['me@example.com'] : [];
          assert.deepEqual(emailsOf(await relay.ask(viewer, relayPaths.list)), expected, name);
          assert.deepEqual(emailsOf(await relay.ask(viewer, `${relayPaths.list}?limit=5`)), expected, name);
        }
        assert.equal((await relay.lookup(me, 'me@example.com')).status, 200);
        assert.deepEqual(emailsOf(await relay.ask(me, relayPaths.list)), []);
        // And the same from the store.
        await relay.restart();
      }
    });
  }

  test('unknown, hidden, withdrawn, never announced and expired look alike, header by header', async () => {
    let nowMs = startMs;
    await using relay = await TestRelay.start({ nowMs: () => nowMs });
    const [me, hidden, withdrawn, expired] = (await registered(
      relay,
      'me@example.com',
      'hidden@example.com',
      'withdrawn@example.com',
      'expired@example.com',
      'silent@example.com',
    )) as [KeyAndCertificate, KeyAndCertificate, KeyAndCertificate, KeyAndCertificate];
    await relay.ready(expired, place);
    nowMs += 3_600_000;
    await relay.ready(hidden, { ...place, announce: 'none' });
    await relay.ready(withdrawn, place);
    await relay.ask(withdrawn, relayPaths.broadcast, { method: 'DELETE' });
    const unknown = await relay.lookup(me, 'unknown@example.com');
    assert.deepEqual([unknown.status, unknown.json()], [404, { error: 'no such peer is announced' }]);
    for (const name of ['hidden', 'withdrawn', 'expired', 'silent'])
      assert.deepEqual(visibleOf(await relay.lookup(me, `${name}@example.com`)), visibleOf(unknown), name);
  });
});
