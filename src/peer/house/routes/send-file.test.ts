import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, open, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { choosePathHolder, type PathHolder } from '../../../util/platform/handle-path.ts';
import { HouseErrorSchema } from '../../../wire/house-http.ts';
import { encodeHousePath } from '../../../wire/house-path.ts';
import { pumpBufferBytes } from '../pump-file.ts';
import { openHouse } from '../testing/house-fixture.ts';
import { openFilesBelow } from '../testing/open-files.ts';

const commonHeaders = {
  'content-security-policy': "default-src 'none'; sandbox",
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
};

test('every answer carries the headers that keep a browser from running anything, errors too', async () => {
  await using fixture = await openHouse({ tree: { 'a.txt': 'x', 'a.exe': 'x' } });
  const targets = ['/health', '/api/files', '/content/a.txt', '/download/a.txt', '/archive', '/digest/a.txt'];
  for (const target of [
    ...targets,
    '/nowhere',
    '/download/missing',
    '/download/a.exe',
    '/download/%',
    '/download/a.txt/..',
  ]) {
    const answer = await fixture.ask(target);
    for (const [name, value] of Object.entries(commonHeaders))
      assert.equal(answer.headers[name], value, target);
    if (answer.status >= 400) HouseErrorSchema.strict().parse(answer.json());
  }
});

test('methods other than GET and HEAD are refused on every route, and told which are not', async () => {
  await using fixture = await openHouse({ tree: { 'a.txt': 'x' } });
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'TRACE']) {
    const answer = await fixture.ask('/download/a.txt', { 'Content-Length': '0' }, method);
    assert.deepEqual([answer.status, answer.headers['allow']], [405, 'GET, HEAD'], method);
  }
});

const shown: readonly (readonly [string, string, 'inline' | 'attachment'])[] = [
  ['a.txt', 'text/plain; charset=utf-8', 'inline'],
  ['README', 'text/plain; charset=utf-8', 'inline'],
  ['page.html', 'text/plain; charset=utf-8', 'inline'],
  ['page.XHTML', 'text/plain; charset=utf-8', 'inline'],
  ['drawing.svg', 'text/plain; charset=utf-8', 'inline'],
  ['feed.xml', 'text/plain; charset=utf-8', 'inline'],
  ['script.js', 'text/plain; charset=utf-8', 'inline'],
  ['script.mjs', 'text/plain; charset=utf-8', 'inline'],
  ['data.json', 'text/plain; charset=utf-8', 'inline'],
  ['photo.jpg', 'image/jpeg', 'inline'],
  ['PHOTO.PNG', 'image/png', 'inline'],
  ['film.mp4', 'video/mp4', 'inline'],
  ['song.mp3', 'audio/mpeg', 'inline'],
  ['paper.pdf', 'application/octet-stream', 'attachment'],
  ['drawing.svgz', 'application/octet-stream', 'attachment'],
  ['archive.mht', 'application/octet-stream', 'attachment'],
  ['flash.swf', 'application/octet-stream', 'attachment'],
  ['unknown.zzz', 'application/octet-stream', 'attachment'],
  ['no-ending', 'application/octet-stream', 'attachment'],
  ['constructor', 'application/octet-stream', 'attachment'],
  ['a.__proto__', 'application/octet-stream', 'attachment'],
];

test('a preview shows listed types, all text inert, and hands out the rest as unknown attachments', async () => {
  await using fixture = await openHouse({
    tree: Object.fromEntries(shown.map(([name]) => [name, `<b>${name}`])),
  });
  for (const [name, type, kind] of shown) {
    const answer = await fixture.ask(`/content/${name}`);
    assert.equal(answer.text(), `<b>${name}`);
    assert.equal(answer.headers['content-type'], type, name);
    assert.ok(answer.headers['content-disposition']?.startsWith(`${kind};`), name);
  }
});

test('a download is an attachment of unknown type, whatever it is', async () => {
  await using fixture = await openHouse({ tree: Object.fromEntries(shown.map(([name]) => [name, name])) });
  for (const [name] of shown) {
    const { headers } = await fixture.ask(`/download/${name}`);
    assert.equal(headers['content-type'], 'application/octet-stream');
    assert.equal(headers['content-disposition'], `attachment; filename="${name}"; filename*=UTF-8''${name}`);
  }
});

test('any name survives in the header, and none can end it', async () => {
  const name = `grün "quoted" 100%'s; 日本 😀\u202e.txt`;
  await using fixture = await openHouse({ tree: { [name]: 'x' } });
  const { headers } = await fixture.ask(`/download/${encodeHousePath(name)}`);
  const disposition = headers['content-disposition'] ?? '';
  assert.match(
    disposition,
    /^attachment; filename="gr_n _quoted_ 100_'s; __ __.txt"; filename\*=UTF-8''[\w%.!~-]+$/,
  );
  assert.equal(decodeURIComponent(disposition.split("UTF-8''")[1] ?? ''), name);
});

test('programs are refused by name, by the name behind a link and inside a bundle, unless the owner allows them', async () => {
  const tree = {
    'setup.exe': 'MZ',
    'RUN.BAT': 'x',
    'Game.app/Contents/MacOS/Game': 'x',
    'node.js': 'x',
    exe: 'x',
    'my.command/notes.txt': 'x',
  };
  await using strict = await openHouse({ tree });
  await symlink('setup.exe', join(strict.root, 'harmless.txt'));
  for (const name of ['setup.exe', 'RUN.BAT', 'Game.app/Contents/MacOS/Game', 'harmless.txt']) {
    for (const route of ['download', 'content', 'digest']) {
      const answer = await strict.ask(`/${route}/${name}`);
      assert.deepEqual(
        [answer.status, answer.json()],
        [403, { error: 'this house does not hand out programs' }],
      );
    }
  }
  for (const name of ['node.js', 'exe', 'my.command/notes.txt'])
    assert.equal((await strict.ask(`/download/${name}`)).status, 200);
  assert.equal((await strict.ask('/download/missing.exe')).status, 404);
  await using open = await openHouse({ tree, settings: { allowPrograms: true } });
  assert.equal((await open.ask('/download/setup.exe')).text(), 'MZ');
});

const body = randomBytes(2 * pumpBufferBytes + 12_345);

test('one range is answered as asked, several or malformed ones by the whole, one beyond the end by 416', async () => {
  await using fixture = await openHouse({ tree: { 'b.bin': body } });
  const size = body.length;
  const cases: readonly (readonly [string, number, number, number])[] = [
    ['bytes=0-0', 206, 0, 1],
    ['bytes=0-', 206, 0, size],
    ['bytes=5-1000', 206, 5, 1001],
    [`bytes=${pumpBufferBytes - 1}-${pumpBufferBytes}`, 206, pumpBufferBytes - 1, pumpBufferBytes + 1],
    [`bytes=3-${size + 10}`, 206, 3, size],
    ['bytes=-7', 206, size - 7, size],
    [`bytes=-${size + 1}`, 206, 0, size],
    ['Bytes=1-2', 206, 1, 3],
    ['bytes=0-1,5-6', 200, 0, size],
    ['bytes=9-3', 200, 0, size],
    ['bytes=a-b', 200, 0, size],
    ['bytes=-', 200, 0, size],
    ['lines=1-2', 200, 0, size],
    ['', 200, 0, size],
  ];
  for (const [range, status, start, end] of cases) {
    const answer = await fixture.ask('/download/b.bin', { Range: range });
    assert.equal(answer.status, status, range);
    assert.ok(answer.body.equals(body.subarray(start, end)), range);
    assert.equal(
      answer.headers['content-range'],
      status === 206 ? `bytes ${start}-${end - 1}/${size}` : undefined,
    );
    assert.equal(answer.headers['accept-ranges'], 'bytes');
  }
  for (const range of [`bytes=${size}-`, 'bytes=-0', 'bytes=99999999999999999999-']) {
    const answer = await fixture.ask('/download/b.bin', { Range: range });
    assert.deepEqual([answer.status, answer.headers['content-range']], [416, `bytes */${size}`], range);
  }
});

test('an empty file is an empty body, and has no byte to range over', async () => {
  await using fixture = await openHouse({ tree: { 'empty.txt': '' } });
  const answer = await fixture.ask('/download/empty.txt');
  assert.deepEqual([answer.status, answer.headers['content-length'], answer.body.length], [200, '0', 0]);
  assert.equal((await fixture.ask('/download/empty.txt', { Range: 'bytes=0-' })).status, 416);
});

test('HEAD tells the length of the whole and sends nothing, with Range or without', async () => {
  await using fixture = await openHouse({ tree: { 'b.bin': body } });
  await using connection = await fixture.connect();
  for (const headers of [{}, { Range: 'bytes=0-4' }]) {
    const head = await connection.ask('/download/b.bin', headers, 'HEAD');
    assert.deepEqual([head.status, head.headers['content-length']], [200, String(body.length)]);
  }
  // Whatever a body would have left on the connection would be read as this answer.
  assert.equal((await connection.ask('/download/b.bin')).body.length, body.length);
});

test('conditions are judged by the tag, weakly or strongly as each demands', async () => {
  await using fixture = await openHouse({ tree: { 'a.txt': 'hello' } });
  await utimes(join(fixture.root, 'a.txt'), 0, new Date('2020-01-02T03:04:05.678Z'));
  const { headers } = await fixture.ask('/download/a.txt');
  const etag = headers['etag'] ?? '';
  assert.match(etag, /^"[\w-]+"$/);
  assert.equal(headers['last-modified'], 'Thu, 02 Jan 2020 03:04:05 GMT');
  const [same, before, after] = [
    'Thu, 02 Jan 2020 03:04:05 GMT',
    'Thu, 02 Jan 2020 03:04:04 GMT',
    'Thu, 02 Jan 2020 03:04:06 GMT',
  ];
  const range = { Range: 'bytes=1-2' };
  const cases: readonly (readonly [Record<string, string>, number])[] = [
    [{ 'If-None-Match': etag }, 304],
    [{ 'If-None-Match': `W/${etag}` }, 304],
    [{ 'If-None-Match': `"other", ${etag}` }, 304],
    [{ 'If-None-Match': '*' }, 304],
    [{ 'If-None-Match': '"other"' }, 200],
    [{ 'If-None-Match': '"other"', 'If-Modified-Since': same }, 200],
    [{ 'If-Modified-Since': same }, 304],
    [{ 'If-Modified-Since': after }, 304],
    [{ 'If-Modified-Since': before }, 200],
    [{ 'If-Modified-Since': 'some day' }, 200],
    [{ 'If-Match': etag }, 200],
    [{ 'If-Match': '*' }, 200],
    [{ 'If-Match': `W/${etag}` }, 412],
    [{ 'If-Match': '"other"' }, 412],
    [{ 'If-Unmodified-Since': same }, 200],
    [{ 'If-Unmodified-Since': before }, 412],
    [{ 'If-Range': etag, ...range }, 206],
    [{ 'If-Range': `W/${etag}`, ...range }, 200],
    [{ 'If-Range': '"other"', ...range }, 200],
    [{ 'If-Range': same, ...range }, 200],
    [{ 'If-None-Match': etag, ...range }, 304],
  ];
  for (const [conditions, status] of cases) {
    const answer = await fixture.ask('/download/a.txt', conditions);
    assert.equal(answer.status, status, JSON.stringify(conditions));
    assert.equal(answer.headers['etag'], etag);
    if (status === 304) assert.equal(answer.body.length, 0);
  }
});

test('another content is another tag, even of the same size, and a file put in its place too', async () => {
  await using fixture = await openHouse({ tree: { 'a.txt': 'one' } });
  const tag = async () => (await fixture.ask('/download/a.txt')).headers['etag'];
  const first = await tag();
  assert.equal(await tag(), first);
  await writeFile(join(fixture.root, 'a.txt'), 'two');
  const second = await tag();
  assert.notEqual(second, first);
});

test('a file that changes or is cut short while it is sent never ends as if it were whole', async () => {
  const changes: Readonly<Record<string, (path: string) => Promise<void>>> = {
    appended: (path) => appendFile(path, 'more'),
    rewritten: async (path) => {
      await using file = await open(path, 'r+');
      await file.write('x', 0);
    },
    'cut short': (path) => truncate(path, 1000),
  };
  for (const [name, change] of Object.entries(changes)) {
    // Larger than what the system takes in without the visitor reading: the house is still reading when it changes.
    await using fixture = await openHouse({ tree: { 'big.bin': Buffer.alloc(64 * 1024 * 1024, 1) } });
    await using connection = await fixture.connect();
    connection.send('/download/big.bin');
    await once(connection.socket, 'data');
    connection.socket.pause();
    await change(join(fixture.root, 'big.bin'));
    connection.socket.resume();
    const answer = await connection.read();
    assert.deepEqual([answer.status, answer.isWhole], [200, false], name);
    assert.ok(answer.body.length < 64 * 1024 * 1024, name);
  }
});

test('a visitor who leaves in the middle leaves no file open behind', {
  skip: process.platform !== 'linux',
}, async () => {
  await using fixture = await openHouse({ tree: { 'big.bin': Buffer.alloc(64 * 1024 * 1024, 1) } });
  for (let turn = 0; turn < 5; turn += 1) {
    await using connection = await fixture.connect();
    connection.send('/download/big.bin');
    await once(connection.socket, 'data');
  }
  // Switching off waits for what runs to have ended.
  await fixture.house.switchSharing(false);
  assert.deepEqual(await openFilesBelow(fixture.base), []);
});

test('a file that the house may not read itself is refused without its path', async () => {
  // The tests may run as root, whom no permission stops.
  const refusing: PathHolder = async (path) => {
    const held = await (await choosePathHolder())(path);
    const error = Object.assign(new Error(`EACCES: permission denied, open '${held.place}'`), {
      code: 'EACCES',
    });
    return { ...held, openFile: () => Promise.reject(error) };
  };
  await using fixture = await openHouse({ tree: { 'locked.txt': 'x' }, hold: refusing });
  const answer = await fixture.ask('/download/locked.txt');
  assert.deepEqual([answer.status, answer.json()], [403, { error: 'the house may not read this itself' }]);
});

test('a sparse file of 100 GB is told at once and ranged at its end', async () => {
  const size = 100 * 1024 ** 3;
  await using fixture = await openHouse();
  const path = join(fixture.root, 'huge.bin');
  await using file = await open(path, 'w');
  await file.truncate(size);
  await file.write('the end', size - 7);
  const head = await fixture.ask('/download/huge.bin', {}, 'HEAD');
  assert.equal(head.headers['content-length'], String(size));
  const end = await fixture.ask('/download/huge.bin', { Range: 'bytes=-10' });
  assert.deepEqual([end.status, end.body.toString('latin1')], [206, '\0\0\0the end']);
  assert.equal(end.headers['content-range'], `bytes ${size - 10}-${size - 1}/${size}`);
  const middle = await fixture.ask('/content/huge.bin', { Range: 'bytes=53687091200-53687091203' });
  assert.deepEqual([middle.status, middle.body.length], [206, 4]);
  assert.equal((await stat(path)).size, size);
});

test('many downloads at once share their buffers and mix nothing up', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 12 }, (_, index) => [`f${index}`, randomBytes(3 * pumpBufferBytes + index)]),
  );
  await using fixture = await openHouse({ tree: files });
  const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  for (let round = 0; round < 3; round += 1) {
    await Promise.all(
      Object.entries(files).map(async ([name, bytes]) => {
        const answer = await fixture.ask(`/download/${name}`);
        assert.equal(sha256(answer.body), sha256(bytes), name);
      }),
    );
  }
});
