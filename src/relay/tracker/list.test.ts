import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createIdentity, type KeyAndCertificate } from '../../identity/create-identity.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { type AnnouncedPeer, AnnouncedPeerSchema, relayPaths } from '../../wire/relay-http.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { makeBroadcast, makeRegistration } from '../store/testing/records.ts';
import { silentLog } from '../store/testing/silent-log.ts';
import { type Answer, readAll, TestRelay } from '../testing/relay-fixture.ts';

const { list } = relayPaths;

function peersOf(answer: Answer): AnnouncedPeer[] {
  assert.equal(answer.status, 200, answer.text);
  return AnnouncedPeerSchema.array().parse(answer.json());
}
const emailsOf = (answer: Answer): string[] => peersOf(answer).map(({ email }) => email);

/** Follows `Link: <…>; rel="next"` to the end. */
async function walk(relay: TestRelay, client: KeyAndCertificate, first: string): Promise<string[][]> {
  const pages: string[][] = [];
  let path: string | undefined = first;
  while (path !== undefined) {
    const answer: Answer = await relay.ask(client, path);
    pages.push(emailsOf(answer));
    path = nextOf(answer);
  }
  return pages;
}

function nextOf({ headers }: Answer): string | undefined {
  const { link } = headers;
  if (link === undefined) return undefined;
  const [, target] = /^<([^>]+)>; rel="next"$/.exec(String(link)) ?? [];
  assert.ok(target, `the Link header ${String(link)} is one of RFC 8288`);
  return target;
}

async function announceMany(store: Store, emails: readonly string[], capabilities: string[]): Promise<void> {
  const expiresAtMs = Date.now() + 3_600_000;
  await Promise.all(
    emails.map(async (email) => {
      const registration = makeRegistration({ email });
      await store.registerClient(registration);
      await store.putBroadcast(makeBroadcast(registration.clientId, { expiresAtMs, capabilities }));
    }),
  );
}

describe('a list of few', () => {
  let relay: TestRelay;
  const of: Record<string, KeyAndCertificate> = {};
  const emails = ['a@b', 'a.b@c', 'b@a', 'm@m', 'zoe@example.com'];
  before(async () => {
    relay = await TestRelay.start();
    for (const email of ['me@example.com', 'quiet@example.com', ...emails]) {
      const identity = await createIdentity(email);
      of[email] = identity;
      await relay.register(identity, email);
    }
    for (const email of emails.toReversed())
      await relay.ready(of[email] as KeyAndCertificate, { port: 1, addresses: [] });
  });
  after(() => relay[Symbol.asyncDispose]());
  const me = (): KeyAndCertificate => of['me@example.com'] as KeyAndCertificate;

  test('holds every announced peer in the order of e-mails, and not its reader', async () => {
    const sorted = [...emails].sort();
    assert.deepEqual(emailsOf(await relay.ask(me(), list)), sorted);
    const reader = of['m@m'] as KeyAndCertificate;
    assert.deepEqual(
      emailsOf(await relay.ask(reader, list)),
      sorted.filter((email) => email !== 'm@m'),
    );
  });

  test('has pages of the length asked for, and a next one until the last', async () => {
    const sorted = [...emails].sort();
    for (let limit = 1; limit <= emails.length + 1; limit += 1) {
      const pages = await walk(relay, me(), `${list}?limit=${limit}`);
      assert.deepEqual(pages.flat(), sorted);
      assert.equal(pages.length, Math.ceil(emails.length / limit), `pages of ${limit}`);
    }
  });

  test('begins after an e-mail, whether that one is there or not, with a limit or without', async () => {
    for (const [query, expected] of [
      ['after=b@a', ['m@m', 'zoe@example.com']],
      ['after=B@A', ['m@m', 'zoe@example.com']],
      ['after=b@b', ['m@m', 'zoe@example.com']],
      ['after=b%40a&limit=1', ['m@m']],
      ['limit=1&after=m', ['m@m']],
      ['after=', [...emails].sort()],
      ['after=zoe@example.com', []],
      ['after=~', []],
    ] as const)
      assert.deepEqual(emailsOf(await relay.ask(me(), `${list}?${query}`)), expected, query);
  });

  test('cannot be talked into anything by what stands after `after`', async () => {
    for (const text of [
      "' OR 1=1 --",
      "b@a' UNION SELECT pem FROM certificates --",
      '\0',
      '\r\nLink: x',
      '\ud800',
    ])
      for (const query of [
        `after=${encodeURIComponent(text.toWellFormed())}`,
        `limit=2&after=${encodeURIComponent(text.toWellFormed())}`,
      ]) {
        const answer = await relay.ask(me(), `${list}?${query}`);
        for (const email of emailsOf(answer)) assert.ok(emails.includes(email));
        nextOf(answer);
      }
  });

  test('carries a Link that can be followed when the e-mail needs escapes', async () => {
    await using other = await TestRelay.start();
    const names = ["o'neil+home/a=b&c#d@example.com", 'plain@example.com'];
    const [reader] = await Promise.all(
      ['me@example.com', ...names].map(async (email) => {
        const identity = await createIdentity(email);
        await other.register(identity, email);
        if (email !== 'me@example.com') await other.ready(identity, { port: 1, addresses: [] });
        return identity;
      }),
    );
    assert.ok(reader);
    assert.deepEqual(
      await walk(other, reader, `${list}?limit=1`),
      names.map((name) => [name]),
    );
  });

  test('is empty where nobody is announced', async () => {
    await using other = await TestRelay.start();
    await other.register(me(), 'me@example.com');
    for (const path of [list, `${list}?limit=10`]) {
      const answer = await other.ask(me(), path);
      assert.deepEqual([answer.status, answer.text, answer.headers['link']], [200, '[]', undefined]);
    }
  });
});

describe('a list of 3,000 with long entries', () => {
  const count = 3000;
  const emails = Array.from(
    { length: count },
    (_, index) => `p${String(index).padStart(4, '0')}@example.com`,
  );
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let store: Store;
  let relay: TestRelay;
  let me: KeyAndCertificate;
  before(async () => {
    folder = await temporaryFolder();
    store = await openStore({ log: silentLog, sqliteFile: join(folder.path, 'relay.sqlite') });
    // 32 names of 64 characters: about 2 KB each, beyond what the sockets' own buffers hold.
    await announceMany(
      store,
      emails,
      Array.from({ length: 32 }, (_, index) => `${index}`.padEnd(64, 'x')),
    );
    relay = await TestRelay.start({ store });
    me = await createIdentity('me@example.com');
    await relay.register(me, 'me@example.com');
  });
  after(async () => {
    await relay[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  test('comes whole and in order without a limit', async () => {
    assert.deepEqual(emailsOf(await relay.ask(me, list)), emails);
  });

  test('comes whole and in order by pages of any length', async () => {
    for (const limit of [700, 999, 1000, 1001, 1500, 3000, 10_000]) {
      const pages = await walk(relay, me, `${list}?limit=${limit}`);
      assert.deepEqual(pages.flat(), emails, `pages of ${limit}`);
      assert.equal(pages.length, Math.ceil(count / limit));
    }
  });

  test('reaches a slow reader whole, while others are served and people come and go', async () => {
    const [newcomer, early] = [
      await createIdentity('p2500x@example.com'),
      await createIdentity('p0000x@example.com'),
    ];
    await relay.register(newcomer, 'p2500x@example.com');
    await relay.register(early, 'p0000x@example.com');
    const socket = await relay.connect(me);
    socket.write(`GET ${list} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n`);
    await once(socket, 'readable');
    // Nothing is read now: what has been sent waits in the buffers, the rest in the directory.
    await relay.ready(newcomer, { port: 1, addresses: [] });
    await relay.ready(early, { port: 1, addresses: [] });
    assert.equal((await relay.lookup(me, 'p2999@example.com')).status, 200);
    const [head, body] = splitHead(await readAll(socket));
    assert.match(head, /^HTTP\/1\.1 200 OK/);
    const listed = AnnouncedPeerSchema.array()
      .parse(JSON.parse(body))
      .map(({ email }) => email);
    assert.deepEqual(
      listed.filter((email) => !email.includes('x@')),
      emails,
    );
    assert.deepEqual(listed, [...listed].sort());
    assert.ok(listed.includes('p2500x@example.com'), 'whoever comes ahead of the reader is read');
    assert.ok(!listed.includes('p0000x@example.com'), 'whoever comes behind is not');
    await Promise.all(
      [newcomer, early].map((one) => relay.ask(one, relayPaths.broadcast, { method: 'DELETE' })),
    );
  });

  test('left in the middle by its reader harms nobody', async () => {
    for (let round = 0; round < 5; round += 1) {
      const socket = await relay.connect(me);
      socket.write(`GET ${list} HTTP/1.1\r\nHost: relay\r\n\r\n`);
      await once(socket, 'readable');
      socket.destroy();
    }
    assert.equal(emailsOf(await relay.ask(me, list)).length, count);
  });
});

/** Head and body of an answer in chunks, put together. */
function splitHead(answer: string): [string, string] {
  const at = answer.indexOf('\r\n\r\n');
  let rest = answer.slice(at + 4);
  let body = '';
  for (;;) {
    const end = rest.indexOf('\r\n');
    const length = Number.parseInt(rest.slice(0, end), 16);
    if (!(length > 0)) return [answer.slice(0, at), body];
    body += rest.slice(end + 2, end + 2 + length);
    rest = rest.slice(end + 2 + length + 2);
  }
}
