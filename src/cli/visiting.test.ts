/** The verbs that visit, against a daemon that answers as the schemas allow: what is printed, and how they exit. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type FailureCode, failureCodes } from '../wire/local-api.ts';
import { exitCodeOf } from './exit-code.ts';
import { run } from './main.ts';
import { type FakeAnswer, fakeDaemon } from './testing/fake-daemon.ts';

const modified = '2026-03-01T12:00:00.000Z';

test('ls shows pages one after the other, folders with a slash, names without tricks', async () => {
  const pages: Record<string, object> = {
    '': {
      path: 'a b',
      entries: [
        { name: 'sub', type: 'directory', size: 0, modified },
        { name: 'evil\u202etxt.exe', type: 'file', size: 1_234_567, modified, isProgram: true },
      ],
      next: 'page-2',
    },
    'page-2': { path: 'a b', entries: [{ name: '🏖️.jpg', type: 'file', size: 5, modified }], omitted: 2 },
  };
  const asked: string[] = [];
  const answer: FakeAnswer = (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://x');
    asked.push(`${searchParams.get('peer')} ${searchParams.get('path')}`);
    response.end(JSON.stringify(pages[searchParams.get('after') ?? '']));
  };
  await using people = await fakeDaemon(answer);
  assert.equal(await run(['ls', 'Anna@example.com:/a b/'], people.context), 0);
  assert.deepEqual(asked, ['anna@example.com a b', 'anna@example.com a b']);
  const { stdout, stderr } = people.context.printed;
  assert.match(
    stdout,
    /^ {7}- {2}2026-\d\d-\d\d \d\d:\d\d {2}sub\/\n {2}1\.2 MB .* {2}evil\\u\{202e\}txt\.exe {2}\(program: not handed out\)\n {5}5 B .* {2}🏖️\.jpg\n$/,
  );
  assert.match(stderr, /^2 more cannot be visited/);

  await using scripts = await fakeDaemon(answer);
  assert.equal(await run(['ls', 'anna@example.com:/a b', '--json'], scripts.context), 0);
  assert.deepEqual(
    scripts.context.printed.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [
      { name: 'sub', type: 'directory', size: 0, modified },
      { name: 'evil\u202etxt.exe', type: 'file', size: 1_234_567, modified, isProgram: true },
      { name: '🏖️.jpg', type: 'file', size: 5, modified },
    ],
  );
  assert.equal(scripts.context.printed.stderr, '');
});

test('ls gives up on pages that are empty, or the same, without end', async () => {
  let asked = 0;
  const endless: readonly (readonly [string, () => object])[] = [
    ['empty', () => ({ path: '', entries: [], next: `page-${asked}` })],
    ['same', () => ({ path: '', entries: [{ name: 'a', type: 'file', size: 1, modified }], next: 'page-2' })],
  ];
  for (const [name, page] of endless) {
    asked = 0;
    await using daemon = await fakeDaemon((_request, response) => {
      asked += 1;
      // So that the test ends when the command does not.
      response.end(JSON.stringify(asked < 1100 ? page() : { path: '', entries: [] }));
    });
    assert.equal(await run(['ls', 'anna@example.com:/'], daemon.context), exitCodeOf('failed'), name);
    assert.match(daemon.context.printed.stderr, /The pages of anna@example\.com:\/ never end/);
  }
});

test('a listing that holds a name no house may have is refused whole', async () => {
  await using daemon = await fakeDaemon((_request, response) =>
    response.end(JSON.stringify({ path: '', entries: [{ name: '../x', type: 'file', size: 1, modified }] })),
  );
  assert.equal(await run(['ls', 'anna@example.com'], daemon.context), 1);
  assert.equal(daemon.context.printed.stdout, '');
});

for (const code of failureCodes)
  test(`"${code}" from the daemon is the exit code of ls and of get, and the code that scripts read`, async () => {
    const failure = { error: `it is ${code}`, code } satisfies { error: string; code: FailureCode };
    await using listing = await fakeDaemon((_request, response) => {
      response.statusCode = 500;
      response.end(JSON.stringify(failure));
    });
    assert.equal(await run(['ls', 'anna@example.com', '--json'], listing.context), exitCodeOf(code));
    assert.partialDeepStrictEqual(JSON.parse(listing.context.printed.stderr), {
      event: 'error',
      ...failure,
    });
    await using download = await fakeDaemon((_request, response) =>
      response.end(`${JSON.stringify({ event: 'failed', ...failure })}\n`),
    );
    assert.equal(await run(['get', 'anna@example.com:/a', '--json'], download.context), exitCodeOf(code));
    assert.equal(download.context.printed.stdout, '');
    assert.match(download.context.printed.stderr, new RegExp(`^\\{"event":"error","code":"${code}"`));
  });

for (const verb of ['ls', 'cat', 'get'])
  test(`${verb} of somebody whose identity changed names the command that accepts the change`, async () => {
    const failure = { error: 'somebody else answers', code: 'identity_changed' };
    await using daemon = await fakeDaemon((_request, response) => {
      response.statusCode = 409;
      response.end(JSON.stringify(failure));
    });
    assert.equal(await run([verb, 'Anna@example.com:/a'], daemon.context), 6);
    assert.match(
      daemon.context.printed.stderr,
      /somebody else answers\n.*friends trust anna@example\.com\n$/,
    );
  });

/** A house with one folder, `photos`, and in it a file, of which listings are refused as a house does. */
const answerAsHouse: FakeAnswer = (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://x');
  const entries: Record<string, object[]> = {
    '': [{ name: 'photos', type: 'directory', size: 0, modified }],
    photos: [{ name: 'a.jpg', type: 'file', size: 5, modified }],
  };
  const path = searchParams.get('path') ?? '';
  if (pathname === '/api/files' && entries[path] !== undefined) {
    const isSecondPage = searchParams.has('after');
    const page = isSecondPage ? { entries: entries[path] } : { entries: [], next: 'page-2' };
    response.end(JSON.stringify({ path, ...page }));
    return;
  }
  response.statusCode = 400;
  response.end(JSON.stringify({ error: `the house does not take ${path}`, code: 'bad_request' }));
};

test('ls of a file shows the file, as the folder above lists it', async () => {
  await using people = await fakeDaemon(answerAsHouse);
  assert.equal(await run(['ls', 'anna@example.com:/photos/a.jpg'], people.context), 0);
  assert.match(people.context.printed.stdout, /^ {5}5 B {2}2026-.* {2}a\.jpg\n$/);
  assert.equal(people.context.printed.stderr, '');
  await using scripts = await fakeDaemon(answerAsHouse);
  assert.equal(await run(['ls', 'anna@example.com:/photos/a.jpg', '--json'], scripts.context), 0);
  assert.deepEqual(JSON.parse(scripts.context.printed.stdout), {
    name: 'a.jpg',
    type: 'file',
    size: 5,
    modified,
  });
});

test('ls of what the house does not take and the folder above does not hold says what the house said', async () => {
  await using daemon = await fakeDaemon(answerAsHouse);
  assert.equal(await run(['ls', 'anna@example.com:/photos/b.jpg'], daemon.context), 2);
  assert.match(daemon.context.printed.stderr, /the house does not take photos\/b\.jpg/);
});

test('cat of a folder says that it is one, and how to list it', async () => {
  await using folder = await fakeDaemon(answerAsHouse);
  assert.equal(await run(['cat', 'anna@example.com:/photos'], folder.context), 2);
  assert.match(
    folder.context.printed.stderr,
    /anna@example\.com:\/photos is a folder\n.*flashback ls "anna@example\.com:\/photos"/,
  );
  await using other = await fakeDaemon(answerAsHouse);
  assert.equal(await run(['cat', 'anna@example.com:/b'], other.context), 2);
  assert.match(other.context.printed.stderr, /the house does not take b\n$/);
});

const done = {
  event: 'done',
  path: '/home/me/film.mkv',
  bytes: 3,
  sha256: 'ab'.repeat(32),
  via: 'direct',
} as const;

test('get --json prints every event as a line, the last is done, and nothing else', async () => {
  const events = [
    { event: 'started', path: 'film.mkv', total: 3, via: 'direct' },
    { event: 'resumed', path: 'film.mkv', bytes: 1 },
    { event: 'progress', path: 'film.mkv', bytes: 2, total: 3, bytesPerSecond: 1 },
    { event: 'restarted', path: 'film.mkv', reason: 'the file changed', bytes: 0 },
    done,
  ];
  await using daemon = await fakeDaemon((_request, response) =>
    response.end(events.map((event) => `${JSON.stringify(event)}\n`).join('')),
  );
  assert.equal(await run(['get', 'anna@example.com:/film.mkv', '--json'], daemon.context), 0);
  const lines = daemon.context.printed.stdout.trim().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as unknown),
    events,
  );
  assert.equal(daemon.context.printed.stderr, '');
});

test('get tells people what happened in plain lines, and where no terminal is, draws nothing', async () => {
  await using daemon = await fakeDaemon((_request, response) => {
    for (const event of [
      { event: 'progress', path: 'film.mkv', bytes: 2, total: 3, bytesPerSecond: 1 },
      { event: 'skipped', path: 'a\u001b[2J', reason: 'a program' },
      done,
    ])
      response.write(`${JSON.stringify(event)}\n`);
    response.end();
  });
  assert.equal(await run(['get', 'anna@example.com:/film.mkv'], daemon.context), 0);
  const { stdout, stderr } = daemon.context.printed;
  assert.match(stdout, /^\/home\/me\/film\.mkv: 3 B in \d+ s, directly, verified\nsha256 (ab){32}\n$/);
  assert.equal(stderr, 'Left out a\\u{1b}[2J: a program\n');
});

test('get of a folder names what was left out, counts it in the end, and counts what was here already', async () => {
  const here = { event: 'skipped', code: 'here_already', reason: 'the same byte for byte' };
  const events = [
    { ...here, path: 'set/1' },
    { ...here, path: 'set/2' },
    { event: 'skipped', path: 'set/x.exe', code: 'left_out', reason: 'a program' },
    { event: 'skipped', path: 'set', code: 'omitted', reason: 'their names do not travel', count: 1_200 },
    { event: 'skipped', path: '', code: 'omitted', reason: 'its name does not travel', count: 1 },
    {
      event: 'done',
      path: '/home/me/set',
      bytes: 0,
      files: 0,
      hereAlready: 2,
      leftOut: 1_202,
      via: 'direct',
    },
  ];
  const answer: FakeAnswer = (_request, response) =>
    response.end(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  await using people = await fakeDaemon(answer);
  assert.equal(await run(['get', '-r', 'anna@example.com:/set'], people.context), 0);
  const { stdout, stderr } = people.context.printed;
  assert.equal(
    stderr,
    'Left out set/x.exe: a program\n' +
      '1,200 in set/ were left out: their names do not travel\n' +
      '1 in / was left out: its name does not travel\n',
  );
  assert.match(stdout, /verified\n2 were here already\n1,202 were left out, as said above\n$/);
  await using scripts = await fakeDaemon(answer);
  assert.equal(await run(['get', '-r', 'anna@example.com:/set', '--json'], scripts.context), 0);
  assert.deepEqual(
    scripts.context.printed.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    events,
  );
});

test('on a terminal get draws its progress on stderr and takes it away in the end', async () => {
  await using daemon = await fakeDaemon(
    (_request, response) => {
      response.write(
        `${JSON.stringify({ event: 'progress', path: 'film.mkv', bytes: 2, total: 4, bytesPerSecond: 1 })}\n`,
      );
      response.end(`${JSON.stringify(done)}\n`);
    },
    { isTerminal: true, columns: 100 },
  );
  assert.equal(await run(['get', 'anna@example.com:/film.mkv'], daemon.context), 0);
  assert.match(daemon.context.printed.stderr, /^\r\u001b\[Kfilm\.mkv \[#{15}-{15}\].*50 %.*\r\u001b\[K$/);
  assert.doesNotMatch(daemon.context.printed.stdout, /50 %/);
});

test('a download whose stream ends without a last word has failed', async () => {
  await using daemon = await fakeDaemon((_request, response) =>
    response.end('{"event":"started","path":"a","total":3,"via":"direct"}\n'),
  );
  assert.equal(await run(['get', 'anna@example.com:/a'], daemon.context), 1);
});

const targets: readonly (readonly [args: readonly string[], target: string, flags: object])[] = [
  [['/photos/cat.jpg'], 'HOME/cat.jpg', { overwrite: false, recursive: false }],
  [['/cat.jpg', '-o', 'mine.jpg'], 'HOME/mine.jpg', {}],
  [['/cat.jpg', '-o', '/abs/mine.jpg', '--force'], '/abs/mine.jpg', { overwrite: true }],
  [['/cat.jpg', '-o', 'folder'], 'HOME/folder/cat.jpg', {}],
  [['/cat.jpg', '-o', 'not-there/'], 'HOME/not-there/cat.jpg', {}],
  [['/photos', '-r'], 'HOME/photos', { recursive: true }],
  [['/', '-r'], 'HOME/anna@example.com', { recursive: true }],
  // As in its first run, when the folder did not exist: that is how it finds what it has fetched.
  [['/photos', '-r', '-o', 'folder'], 'HOME/folder', { recursive: true }],
  [['/photos', '-r', '-o', 'folder/'], 'HOME/folder/photos', { recursive: true }],
];

for (const [[place = '', ...args], target, flags] of targets)
  test(`get ${place} ${args.join(' ')} writes to ${target}`, async () => {
    let request: unknown;
    await using daemon = await fakeDaemon(async (incoming, response) => {
      request = JSON.parse(Buffer.concat(await incoming.toArray()).toString('utf8'));
      response.end(`${JSON.stringify(done)}\n`);
    });
    const home = daemon.context.currentDirectory;
    await mkdir(join(home, 'folder'));
    assert.equal(await run(['get', `anna@example.com:${place}`, ...args], daemon.context), 0);
    assert.ok(typeof request === 'object' && request !== null);
    assert.deepEqual(request, {
      ...request,
      ...flags,
      peer: 'anna@example.com',
      target: target.replace('HOME', home),
    });
  });

test('a setting chooses the folder for downloads', async () => {
  let target = '';
  await using daemon = await fakeDaemon(
    async (incoming, response) => {
      ({ target } = JSON.parse(Buffer.concat(await incoming.toArray()).toString('utf8')) as {
        target: string;
      });
      response.end(`${JSON.stringify(done)}\n`);
    },
    { environment: { FLASHBACK_DOWNLOAD_DIRECTORY: '/downloads' } },
  );
  assert.equal(await run(['get', 'anna@example.com:/a/cat.jpg'], daemon.context), 0);
  assert.equal(target, '/downloads/cat.jpg');
});

for (const name of ['..', 'nul', 'a\\b', 'x:y'])
  test(`get of a file named "${name}" needs -o: the name leads elsewhere on some system`, async () => {
    await using daemon = await fakeDaemon((_request, response) => response.end());
    assert.equal(await run(['get', `anna@example.com:/a/${name}`], daemon.context), 2);
    assert.match(daemon.context.printed.stderr, /Choose one with -o/);
  });

test('cat hands bytes to a pipe as they are', async () => {
  const bytes = Buffer.from([0, 1, 2, 0x1b, 0xff, 0x0a]);
  await using daemon = await fakeDaemon((_request, response) => response.end(bytes));
  const chunks: Buffer[] = [];
  daemon.context.output.stdout.write = (chunk: Buffer) => chunks.push(chunk) > 0;
  assert.equal(await run(['cat', 'anna@example.com:/x'], daemon.context), 0);
  assert.deepEqual(Buffer.concat(chunks), bytes);
});

test('cat disarms control characters on a terminal, and refuses what is no text', async () => {
  const parts = ['line\r\n\ttitle\u001b]0;pwned\u0007 ü', 'ber\n'].map((text) => Buffer.from(text));
  await using text = await fakeDaemon(
    async (_request, response) => {
      // Cut in the middle of a character.
      const whole = Buffer.concat(parts);
      response.write(whole.subarray(0, 27));
      await new Promise((resolve) => setImmediate(resolve));
      response.end(whole.subarray(27));
    },
    { isTerminal: true },
  );
  assert.equal(await run(['cat', 'anna@example.com:/x'], text.context), 0);
  assert.equal(text.context.printed.stdout, 'line\n\ttitle\\u{1b}]0;pwned\\u{7} über\n');
  await using binary = await fakeDaemon((_request, response) => response.end(Buffer.from('GIF\0')), {
    isTerminal: true,
  });
  assert.equal(await run(['cat', 'anna@example.com:/x'], binary.context), 1);
  assert.equal(binary.context.printed.stdout, '');
});

test('a file that breaks off in the middle is a failure of cat', async () => {
  await using daemon = await fakeDaemon((_request, response) => {
    response.setHeader('content-length', 100);
    response.write('half', () => response.destroy());
  });
  assert.equal(await run(['cat', 'anna@example.com:/x'], daemon.context), 1);
  assert.match(daemon.context.printed.stderr, /broke off in the middle/);
});
