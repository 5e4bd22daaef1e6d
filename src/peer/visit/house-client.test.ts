import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { test } from 'node:test';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { houseErrors } from '../../wire/house-http.ts';
import type { FailureCode } from '../../wire/local-api.ts';
import { answerJson, httpsServer, type TestHttpsServer } from '../testing/https-server.ts';
import type { FileBody } from './file-answer.ts';
import { HouseClient } from './house-client.ts';
import { readText } from './read-answer.ts';
import { type PassingCause, VisitError } from './visit-error.ts';

const owner = await testIdentity('owner@example.com');
const guest = await testIdentity('guest@example.com');
const never = new AbortController().signal;

function visit(
  server: Pick<TestHttpsServer, 'host' | 'port'>,
  fingerprint = owner.claims.fingerprint,
): HouseClient {
  const { host, port } = server;
  return new HouseClient({
    host,
    port,
    expected: { kind: 'pinned', fingerprints: [fingerprint] },
    identity: guest,
    via: 'direct',
  });
}

/** Runs `work` against a house that answers as told. */
async function against<T>(onRequest: RequestListener, work: (house: HouseClient) => Promise<T>): Promise<T> {
  await using server = await httpsServer(owner, onRequest);
  using house = visit(server);
  return await work(house);
}

async function failureOf(work: Promise<unknown>): Promise<VisitError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof VisitError, `not a VisitError: ${String(error)}`);
    return error;
  }
  throw new Error('it did not fail');
}

function* endlessSpace(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(65_536, ' ');
}

const emptyPage = { path: '', entries: [] };
const entry = { name: 'a', type: 'file', size: 1, modified: '2026-01-01T00:00:00Z' };
const digest = {
  path: 'f',
  size: 5,
  modified: '2026-01-01T00:00:00Z',
  etag: '"v1"',
  blockBytes: 4 * 1024 * 1024,
  sha256: 'ab'.repeat(32),
};

test('a path is encoded segment by segment, and a cursor as a query', async () => {
  await using server = await httpsServer(owner, answerJson(200, emptyPage));
  using house = visit(server);
  await house.list('ä b/50%/?#&', { limit: 7, after: 'x y&z' });
  assert.deepEqual(server.requests, ['GET /api/files/%C3%A4%20b/50%25/%3F%23%26?limit=7&after=x+y%26z']);
});

test('a path that no house can have is refused before anything is sent', async () => {
  await using server = await httpsServer(owner, answerJson(200, emptyPage));
  using house = visit(server);
  for (const path of ['..', 'a//b', 'a/../b', '/a', 'a\0', 'a\\b', 'C:', 'a/.']) {
    assert.equal((await failureOf(house.list(path))).code, 'bad_request', path);
    assert.equal((await failureOf(house.openDownload(path, { isBulk: true }))).code, 'bad_request', path);
  }
  assert.equal(server.connections, 0);
});

const refusals: [
  status: number,
  error: string,
  code: FailureCode,
  passing: PassingCause | undefined,
  says: RegExp,
][] = [
  [400, 'limit must be from 1', 'bad_request', undefined, /limit must be from 1/],
  [401, 'show a certificate', 'refused', undefined, /show a certificate/],
  [403, 'friends only', 'refused', undefined, /refuses .*friends only/],
  [404, 'not found', 'not_found', undefined, /nothing at "\/f"/],
  [429, 'slow down', 'away', 'busy', /slow down/],
  [503, houseErrors.off, 'away', undefined, /sharing is off/],
  [503, houseErrors.away, 'away', undefined, /not mounted/],
  [503, houseErrors.busy, 'away', 'busy', /busy/],
  [503, 'the file changed while it was read', 'away', 'busy', /changed while/],
  [500, 'oh', 'failed', undefined, /oh/],
  [302, '', 'failed', undefined, /redirect/],
  [416, 'beyond', 'failed', undefined, /beyond/],
  [206, '', 'failed', undefined, /HTTP 206/],
];
for (const [status, error, code, passing, says] of refusals)
  for (const isBulk of [false, true])
    test(`status ${status} "${error}" is ${code}${isBulk ? ' for bulk too' : ''}`, async () => {
      const failure = await against(
        answerJson(status, { error }, { location: 'https://elsewhere/' }),
        (house) => failureOf(house.openDownload('f', { isBulk })),
      );
      assert.equal(failure.code, code);
      assert.equal(failure.passing, passing);
      assert.match(failure.message, says);
    });

test('what a house says in a refusal is made harmless and short', async () => {
  const text = `\u001b[31mred\u202e${'x'.repeat(600)}`;
  const failure = await against(answerJson(403, { error: text }), (house) => failureOf(house.list('f')));
  assert.match(failure.message, /\\u\{1b\}\[31mred\\u\{202e\}x+…$/);
  assert.ok(failure.message.length < 400);
});

test('a refusal without a sentence of a house stands by its status', async () => {
  const page: RequestListener = (_request, response) => {
    response.writeHead(403, { 'content-type': 'text/html' }).end('<h1>Forbidden</h1>');
  };
  const failure = await against(page, (house) => failureOf(house.list('f')));
  assert.equal(failure.message, 'The house refuses "/f": HTTP 403');
});

test('a refusal whose text never ends is cut', async () => {
  const endless: RequestListener = (_request, response) => {
    response.writeHead(403);
    pipeline(Readable.from(endlessSpace()), response, () => {});
  };
  const failure = await against(endless, (house) => failureOf(house.list('f')));
  assert.equal(failure.code, 'refused');
});

const badListings: Record<string, unknown> = {
  'a name that leaves the folder': { path: '', entries: [{ ...entry, name: '../x' }] },
  'a name that is two dots': { path: '', entries: [{ ...entry, name: '..' }] },
  'an empty name': { path: '', entries: [{ ...entry, name: '' }] },
  'a name with a backslash': { path: '', entries: [{ ...entry, name: 'a\\b' }] },
  'a name with a NUL': { path: '', entries: [{ ...entry, name: 'a\0' }] },
  'a name with an escape': { path: '', entries: [{ ...entry, name: '\u001b[2J' }] },
  'a drive as a name': { path: '', entries: [{ ...entry, name: 'C:' }] },
  'a device of Windows as a name': { path: '', entries: [{ ...entry, name: 'nul.txt' }] },
  'a name that is too long': { path: '', entries: [{ ...entry, name: 'x'.repeat(256) }] },
  'a link that leaves the house': { path: '', entries: [{ ...entry, target: '../../etc' }] },
  'a negative size': { path: '', entries: [{ ...entry, size: -1 }] },
  'half a byte': { path: '', entries: [{ ...entry, size: 0.5 }] },
  'a size beyond exact numbers': { path: '', entries: [{ ...entry, size: 2 ** 60 }] },
  'a type of its own': { path: '', entries: [{ ...entry, type: 'socket' }] },
  'too many entries': { path: '', entries: Array.from({ length: 10_001 }, () => entry) },
  'an endless cursor': { path: '', entries: [], next: 'x'.repeat(2000) },
  'no entries': { path: '' },
  'another shape': [],
};
for (const [name, listing] of Object.entries(badListings))
  test(`a listing with ${name} is refused`, async () => {
    const failure = await against(answerJson(200, listing), (house) => failureOf(house.list('')));
    assert.equal(failure.code, 'failed');
    assert.match(failure.message, /is not what a house says/);
  });

test('a page with more entries than were asked for is refused', async () => {
  const names = ['a', 'b', 'c'].map((name) => ({ ...entry, name }));
  await against(answerJson(200, { path: '', entries: names }), async (house) => {
    assert.equal((await house.list('', { limit: 3 })).entries.length, 3);
    assert.match((await failureOf(house.list('', { limit: 2 }))).message, /more than the 2 entries/);
  });
});

test('a page of another program, a compressed one and an endless one are no listings', async () => {
  const html: RequestListener = (_request, response) => void response.end('<!doctype html>');
  assert.match((await against(html, (house) => failureOf(house.list('')))).message, /no JSON/);
  const zipped = answerJson(200, emptyPage, { 'content-encoding': 'gzip' });
  assert.match((await against(zipped, (house) => failureOf(house.list('')))).message, /compressed/);
  const endless: RequestListener = (_request, response) => {
    pipeline(Readable.from(endlessSpace()), response, () => {});
  };
  assert.match((await against(endless, (house) => failureOf(house.list('')))).message, /over \d+ bytes/);
});

const badDigests: Record<string, object> = {
  'a digest that is none': { ...digest, sha256: 'xyz' },
  'blocks of another size': { ...digest, blockBytes: 1024 },
  'no digest of the whole': { ...digest, sha256: undefined },
  'a negative size': { ...digest, size: -5 },
  'no version': { ...digest, etag: undefined },
};
for (const [name, answer] of Object.entries(badDigests))
  test(`a digest with ${name} is refused`, async () => {
    const failure = await against(answerJson(200, answer), (house) =>
      failureOf(house.digest('f', { blocks: 'none' })),
    );
    assert.equal(failure.code, 'failed');
  });

test('digests of other blocks than those asked for are refused', async () => {
  const span = { from: 1, count: 2 };
  const size = 3 * digest.blockBytes;
  const block = '00'.repeat(32);
  const ask = (answer: object): Promise<unknown> =>
    against(answerJson(200, { ...digest, size, sha256: undefined, ...answer }), (house) =>
      house.digest('f', { blocks: span }),
    );
  await ask({ from: 1, blocks: [block, block] });
  await failureOf(ask({ from: 0, blocks: [block, block] }));
  await failureOf(ask({ blocks: [block, block] }));
  await failureOf(ask({ from: 1, blocks: [block] }));
  await failureOf(ask({ from: 1, blocks: [block, block, block] }));
  await failureOf(ask({ from: 1 }));
});

function answerFile(status: number, headers: Record<string, string>, body = 'hello'): RequestListener {
  return (_request, response) => void response.writeHead(status, headers).end(body);
}
const whole = { 'content-length': '5', etag: '"v1"' };
const part = { 'content-length': '2', 'content-range': 'bytes 3-4/5', etag: '"v1"' };

for (const isBulk of [false, true]) {
  const way = isBulk ? 'a connection of its own' : 'a shared connection';

  test(`a file comes over ${way}, whole and in part`, async () => {
    const open = async (listener: RequestListener, from: number): Promise<[Omit<FileBody, 'body'>, string]> =>
      against(listener, async (house) => {
        const { body, ...rest } = await house.openDownload('f', { from, etag: '"v1"', isBulk });
        return [rest, await readText(body, 100, never)];
      });
    assert.deepEqual(await open(answerFile(200, whole), 0), [
      { from: 0, length: 5, size: 5, etag: '"v1"' },
      'hello',
    ]);
    assert.deepEqual(await open(answerFile(206, part, 'lo'), 3), [
      { from: 3, length: 2, size: 5, etag: '"v1"' },
      'lo',
    ]);
    // Another version now: all of it comes.
    const changed = await open(answerFile(200, { ...whole, etag: '"v2"' }), 3);
    assert.deepEqual(changed, [{ from: 0, length: 5, size: 5, etag: '"v2"' }, 'hello']);
  });

  test(`the range and its version are asked for over ${way}`, async () => {
    let asked: (string | undefined)[] = [];
    const listener: RequestListener = ({ headers }, response) => {
      asked = [
        headers.range,
        headers['if-range'] as string | undefined,
        headers['accept-encoding']?.toString(),
      ];
      response.writeHead(206, part).end('lo');
    };
    await against(listener, async (house) => {
      const { body } = await house.openDownload('f', { from: 3, to: 10, etag: '"v1"', isBulk });
      await readText(body, 10, never);
    });
    assert.deepEqual(asked, ['bytes=3-10', '"v1"', 'identity']);
  });

  const unusable: Record<string, [status: number, headers: Record<string, string>, body?: string]> = {
    'another part': [206, { ...part, 'content-range': 'bytes 2-3/5' }, 'lo'],
    'a part of another length': [206, { ...part, 'content-length': '1' }, 'l'],
    'a part that ends early': [206, { ...part, 'content-range': 'bytes 3-3/5', 'content-length': '1' }, 'l'],
    'a part of nothing': [206, { 'content-length': '2', etag: '"v1"' }, 'lo'],
    'a part beyond the end': [206, { ...part, 'content-range': 'bytes 3-4/4' }, 'lo'],
    'no version': [200, { 'content-length': '5' }],
    'a weak version': [200, { ...whole, etag: 'W/"v1"' }],
    'a version of no form': [200, { ...whole, etag: 'v1' }],
    'a compressed body': [200, { ...whole, 'content-encoding': 'gzip' }],
    'a body without length': [200, { etag: '"v1"' }],
  };
  for (const [name, [status, headers, body]] of Object.entries(unusable))
    test(`an answer with ${name} is refused over ${way}`, async () => {
      const failure = await against(answerFile(status, headers, body), (house) =>
        failureOf(house.openDownload('f', { from: 3, etag: '"v1"', isBulk })),
      );
      assert.equal(failure.code, 'failed');
    });

  test(`a body that is cut short is a lost connection over ${way}`, async () => {
    const cut: RequestListener = (_request, response) => {
      response.writeHead(200, whole);
      response.write('hel', () => response.socket?.destroy());
    };
    const failure = await against(cut, async (house) => {
      const { body } = await house.openDownload('f', { isBulk });
      return await readText(body, 10, never).catch((error: unknown) => error);
    });
    assert.ok(failure instanceof Error);
  });

  test(`somebody else at the house's place is told apart and asked nothing over ${way}`, async () => {
    await using server = await httpsServer(guest, answerJson(200, emptyPage));
    using house = visit(server);
    const failure = await failureOf(house.openDownload('f', { isBulk }));
    assert.equal(failure.code, 'identity_changed');
    assert.equal(failure.passing, undefined);
    assert.deepEqual(server.requests, []);
  });

  test(`nobody there is unreachable over ${way}`, async () => {
    const server = await httpsServer(owner, answerJson(200, emptyPage));
    await server[Symbol.asyncDispose]();
    using house = visit(server);
    const failure = await failureOf(house.openDownload('f', { isBulk }));
    assert.equal(failure.code, 'unreachable');
    assert.equal(failure.passing, 'connection');
    assert.match(failure.message, /nothing listens there/);
  });

  test(`an abort ends a request over ${way} with the abort's reason`, async () => {
    const abort = new AbortController();
    const silent: RequestListener = () => abort.abort(new Error('enough'));
    await against(silent, (house) =>
      assert.rejects(house.openDownload('f', { signal: abort.signal, isBulk }), /enough/),
    );
  });
}

test('a kept connection that the house closed meanwhile costs no error', async () => {
  let asked = 0;
  const listener: RequestListener = (request, response) => {
    asked += 1;
    if (asked === 2) request.socket.destroy();
    else answerJson(200, emptyPage)(request, response);
  };
  await against(listener, async (house) => {
    await house.list('');
    await house.list('');
  });
  assert.equal(asked, 3);
});

test('head, health and archive are answered', async () => {
  await against(answerFile(200, whole, ''), async (house) => {
    assert.deepEqual(await house.head('f'), { size: 5, etag: '"v1"' });
  });
  await against(answerJson(200, { status: 'ok', house: 'away' }), async (house) => {
    assert.deepEqual(await house.health(), { status: 'ok', house: 'away' });
  });
  await using server = await httpsServer(owner, (_request, response) => void response.end('zip'));
  using house = visit(server);
  const stream = await house.openArchive('f', 'zip');
  assert.equal((await stream.toArray()).join(''), 'zip');
  assert.deepEqual(server.requests, ['GET /archive/f?format=zip']);
});
