/** The verbs about people, against a daemon that answers as the schemas allow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FriendRequest, Peer, Status } from '../wire/local-api.ts';
import { run } from './main.ts';
import { type FakeAnswer, fakeDaemon } from './testing/fake-daemon.ts';
import { TestKeyboard } from './testing/test-context.ts';

const anna: Peer = {
  email: 'anna@example.com',
  status: 'online',
  friend: true,
  checkedAt: new Date().toISOString(),
  address: '192.168.1.5:4711',
  fingerprint: 'aa'.repeat(32),
  safetyWords: ['one', 'two'],
};
const ben: Peer = {
  email: 'ben@example.com',
  status: 'error',
  friend: false,
  cause: 'identity\u001b[31m changed',
  code: 'identity_changed',
  changedFingerprint: 'bb'.repeat(32),
};

test('peers is a table for people and a line each for scripts', async () => {
  const answer = answering({ peers: [anna, ben], relayProblem: 'no answer' });
  await using people = await fakeDaemon(answer);
  assert.equal(await run(['peers'], people.context), 0);
  assert.match(
    people.context.printed.stdout,
    /^STATUS +E-MAIL +FRIEND +SEEN +ADDRESS +REMARK\nonline +anna@example\.com +yes +just now +192\.168\.1\.5:4711\nerror +ben@example\.com +identity\\u\{1b\}\[31m changed\n$/,
  );
  assert.match(people.context.printed.stderr, /warning: The relay could not be asked.*no answer/);
  await using scripts = await fakeDaemon(answer);
  assert.equal(await run(['peers', '--json'], scripts.context), 0);
  assert.deepEqual(linesOf(scripts.context.printed.stdout), [anna, ben]);
});

for (const [peer, exitCode] of [
  [anna, 0],
  [ben, 6],
  [{ ...anna, status: 'offline', cause: 'no address answered' }, 4],
] as const)
  test(`peers EMAIL exits with ${exitCode} for somebody who is ${peer.status}`, async () => {
    const asked: string[] = [];
    await using daemon = await fakeDaemon((request, response) => {
      asked.push(request.url ?? '');
      response.end(JSON.stringify(peer));
    });
    assert.equal(await run(['peers', peer.email, '--json'], daemon.context), exitCode);
    assert.deepEqual(asked, [`/api/peers/${encodeURIComponent(peer.email)}?check=1`]);
    assert.deepEqual(linesOf(daemon.context.printed.stdout), [peer]);
    const isChanged = exitCode === 6;
    assert.equal(/friends trust ben@example\.com/.test(daemon.context.printed.stderr), isChanged);
  });

test('who is only announced is shown so, until they were asked; for scripts the status stays', async () => {
  const lastSeen = new Date(Date.now() - 300_000).toISOString();
  const announced: Peer = {
    email: 'carol@example.com',
    status: 'online',
    friend: false,
    checkedAt: new Date().toISOString(),
    lastSeen,
  };
  const asked: Peer = { ...announced, email: 'dan@example.com', roundTripMs: 3 };
  const answer = answering({ peers: [anna, announced, asked] });
  await using people = await fakeDaemon(answer);
  assert.equal(await run(['peers'], people.context), 0);
  const rows = people.context.printed.stdout.split('\n').slice(1);
  assert.match(rows[0] ?? '', /^online +anna/);
  assert.match(rows[1] ?? '', /^announced +carol@example\.com +5 min ago/);
  assert.match(rows[2] ?? '', /^online +dan@example\.com +just now/);
  await using scripts = await fakeDaemon(answer);
  assert.equal(await run(['peers', '--json'], scripts.context), 0);
  assert.deepEqual(linesOf(scripts.context.printed.stdout), [anna, announced, asked]);
});

test('peers --watch --json prints a peer when it is new, has changed or is gone, and Ctrl-C ends it', async () => {
  const lists = [
    [anna],
    [{ ...anna, checkedAt: new Date(0).toISOString() }],
    [{ ...anna, status: 'offline' as const }, ben],
    [ben],
  ];
  let turn = 0;
  await using daemon = await fakeDaemon((_request, response) => {
    const peers = lists[turn];
    turn += 1;
    if (peers === undefined) daemon.context.interrupt();
    else response.end(JSON.stringify({ peers }));
  });
  assert.equal(await run(['peers', '--watch', '--interval', '0.01', '--json'], daemon.context), 130);
  assert.deepEqual(
    linesOf(daemon.context.printed.stdout).map((line) => {
      const { email, status } = line as Peer;
      return `${email} ${status}`;
    }),
    [
      'anna@example.com online',
      'anna@example.com offline',
      'ben@example.com error',
      'anna@example.com offline',
    ],
  );
});

const requests: readonly (readonly [argv: readonly string[], request: string, body: unknown])[] = [
  [['add', 'Anna@example.com'], 'PUT /api/friends/anna%40example.com', {}],
  [
    ['add', 'anna@example.com', '--fingerprint', 'AA:'.repeat(31) + 'AA'],
    'PUT /api/friends/anna%40example.com',
    { fingerprint: 'aa'.repeat(32) },
  ],
  [['remove', 'anna@example.com'], 'DELETE /api/friends/anna%40example.com', undefined],
  [['accept', 'anna@example.com'], 'POST /api/requests/anna%40example.com/accept', undefined],
  [['refuse', 'anna@example.com'], 'POST /api/requests/anna%40example.com/refuse', undefined],
  [
    ['trust', 'anna@example.com', '--fingerprint', 'bb'.repeat(32)],
    'PUT /api/friends/anna%40example.com',
    { fingerprint: 'bb'.repeat(32), acceptChange: true },
  ],
];

for (const [argv, expected, expectedBody] of requests)
  test(`friends ${argv.join(' ')} asks ${expected}`, async () => {
    const asked: unknown[] = [];
    await using daemon = await fakeDaemon(async (request, response) => {
      const text = Buffer.concat(await request.toArray()).toString('utf8');
      asked.push(`${request.method} ${request.url}`, text === '' ? undefined : JSON.parse(text));
      response.end(JSON.stringify(anna));
    });
    assert.equal(await run(['friends', ...argv], daemon.context), 0);
    assert.deepEqual(asked, [expected, expectedBody]);
  });

test('a fingerprint of another length is wrong usage before anybody is asked', async () => {
  await using daemon = await fakeDaemon(() => assert.fail('nobody is asked'));
  assert.equal(await run(['friends', 'add', 'anna@example.com', '--fingerprint', 'abc'], daemon.context), 2);
});

test('a changed identity is not trusted where nobody can compare fingerprints', async () => {
  await using daemon = await fakeDaemon(() => assert.fail('nobody is asked'));
  assert.equal(await run(['friends', 'trust', 'ben@example.com'], daemon.context), 2);
  assert.match(daemon.context.printed.stderr, /without --fingerprint/);
});

for (const [typed, exitCode] of [
  ['y', 0],
  ['', 5],
] as const)
  test(`on a terminal a changed identity is shown, and "${typed}" exits with ${exitCode}`, async () => {
    const keyboard = new TestKeyboard();
    const methods: string[] = [];
    await using daemon = await fakeDaemon(
      (request, response) => {
        methods.push(request.method ?? '');
        response.end(JSON.stringify(ben));
      },
      { isTerminal: true, stdin: keyboard },
    );
    keyboard.write(`${typed}\r`);
    assert.equal(await run(['friends', 'trust', 'ben@example.com'], daemon.context), exitCode);
    assert.deepEqual(methods, exitCode === 0 ? ['GET', 'PUT'] : ['GET']);
    assert.match(daemon.context.printed.stderr, /(bb){32}/);
  });

test('requests show who knocked, with the words to compare', async () => {
  const request: FriendRequest = {
    email: 'ben@example.com',
    fingerprint: 'bb'.repeat(32),
    safetyWords: ['three', 'four'],
    firstAt: new Date().toISOString(),
    lastAt: new Date().toISOString(),
    times: 3,
    address: '10.0.0.2',
  };
  await using people = await fakeDaemon(answering({ requests: [request] }));
  assert.equal(await run(['friends', 'requests'], people.context), 0);
  assert.match(people.context.printed.stdout, /ben@example\.com +just now +3 +10\.0\.0\.2 +three four/);
  await using scripts = await fakeDaemon(answering({ requests: [request] }));
  assert.equal(await run(['friends', 'requests', '--json'], scripts.context), 0);
  assert.deepEqual(linesOf(scripts.context.printed.stdout), [request]);
});

test('share switches, and tells the state that it found', async () => {
  const asked: string[] = [];
  await using daemon = await fakeDaemon(async (request, response) => {
    asked.push(`${request.method} ${request.url} ${Buffer.concat(await request.toArray()).toString('utf8')}`);
    response.end(JSON.stringify({ state: 'off', folder: '/house', addresses: [], policy: 'friends' }));
  });
  assert.equal(await run(['share', 'off'], daemon.context), 0);
  assert.deepEqual(asked, ['PUT /api/share {"sharing":false}']);
  assert.equal(daemon.context.printed.stdout, 'off  /house\n');
});

test('status shows house, relay, identity and who waits', async () => {
  const status: Status = {
    email: 'me@example.com',
    fingerprint: 'cc'.repeat(32),
    safetyWords: ['five', 'six'],
    certificateExpiresAt: '2028-01-01T00:00:00Z',
    version: '1.2.3',
    pid: 42,
    startedAt: new Date(Date.now() - 90_000).toISOString(),
    ui: 'http://127.0.0.1:8787/open?key=x',
    house: {
      state: 'away',
      reason: 'its disk is not mounted',
      folder: '/house',
      port: 4711,
      addresses: ['10.0.0.1'],
      policy: 'friends',
    },
    relay: {
      state: 'away',
      url: 'https://relay:3000',
      reason: 'refused',
      nextTryAt: new Date(Date.now() + 10_000).toISOString(),
    },
    requestsWaiting: 2,
  };
  await using people = await fakeDaemon(answering(status));
  assert.equal(await run(['status'], people.context), 0);
  const { stdout } = people.context.printed;
  for (const part of [
    'me@example.com',
    'five six',
    'its disk is not mounted',
    '4711',
    '10.0.0.1',
    'next try in',
    'refused',
    '1.2.3',
    '1 min 30 s',
    '2 waiting',
  ])
    assert.ok(stdout.includes(part), `${part} is not in:\n${stdout}`);
  await using scripts = await fakeDaemon(answering(status));
  assert.equal(await run(['status', '--json'], scripts.context), 0);
  assert.deepEqual(linesOf(scripts.context.printed.stdout), [status]);
});

function answering(body: object): FakeAnswer {
  return (_request, response) => response.end(JSON.stringify(body));
}

function linesOf(text: string): unknown[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}
