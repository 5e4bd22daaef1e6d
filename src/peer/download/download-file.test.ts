import assert from 'node:assert/strict';
import {
  chmod,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestBlockBytes } from '../../wire/house-http.ts';
import { answerJson } from '../testing/https-server.ts';
import { ActiveDownloads } from './active-downloads.ts';
import { reconnectTriesMax } from './house-session.ts';
import { partialPaths } from './journal.ts';
import { couldBeOurs } from './partial.ts';
import { download, randomBytes, sha256 } from './testing/run.ts';
import { cutAfter, isRequestFor, openTestHouse, rangeStart, spoilBody } from './testing/test-house.ts';

const mebibyte = 1024 * 1024;
const content = randomBytes(11 * mebibyte + 123);

for (const size of [0, 1, digestBlockBytes - 1, digestBlockBytes, digestBlockBytes + 1, 2 * digestBlockBytes])
  test(`a file of ${size} bytes arrives as it is, and nothing else is left`, async () => {
    const bytes = randomBytes(size);
    await using house = await openTestHouse({ 'a b/ü.bin': bytes });
    const { events, last, target } = await download(house, 'a b/ü.bin');
    assert.deepEqual(events, [
      { event: 'started', path: 'a b/ü.bin', total: size, via: 'direct' },
      { event: 'done', path: target, bytes: size, sha256: sha256(bytes), via: 'direct' },
    ]);
    assert.equal(last, events[1]);
    assert.ok((await readFile(target)).equals(bytes));
    assert.deepEqual(await readdir(house.downloads), ['ü.bin']);
  });

test('a finished file has the rights that this user gives to files', {
  skip: process.platform === 'win32',
}, async () => {
  await using house = await openTestHouse({ f: 'x' });
  const ordinary = join(house.downloads, 'ordinary');
  await writeFile(ordinary, '');
  const { target } = await download(house, 'f');
  assert.equal((await stat(target)).mode, (await stat(ordinary)).mode);
});

test('an unfinished file is for its owner only', { skip: process.platform === 'win32' }, async () => {
  await using house = await openTestHouse({ f: content });
  const modes: number[] = [];
  const onEvent = async (): Promise<void> => {
    if (modes.length === 0)
      modes.push((await stat(partialPaths(join(house.downloads, 'f')).partial)).mode & 0o777);
  };
  await download(house, 'f', { onEvent });
  assert.deepEqual(modes, [0o600]);
});

test('a file that is there is not touched unless told', async () => {
  await using house = await openTestHouse({ f: 'new' });
  const target = join(house.downloads, 'f');
  await writeFile(target, 'old');
  const refused = await download(house, 'f');
  assert.partialDeepStrictEqual(refused.last, { event: 'failed', code: 'exists' });
  assert.equal(house.server.requests.length, 0);
  assert.equal(await readFile(target, 'utf8'), 'old');
  assert.equal((await download(house, 'f', { overwrite: true })).last.event, 'done');
  assert.equal(await readFile(target, 'utf8'), 'new');
  assert.deepEqual(await readdir(house.downloads), ['f']);
});

test('a file that somebody puts there meanwhile is not touched either, and what came is kept', async () => {
  await using house = await openTestHouse({ f: content });
  const target = join(house.downloads, 'f');
  const { last } = await download(house, 'f', {
    onEvent: ({ event }) => (event === 'started' ? writeFile(target, 'late') : undefined),
  });
  assert.partialDeepStrictEqual(last, { event: 'failed', code: 'exists' });
  assert.equal(await readFile(target, 'utf8'), 'late');
  assert.equal((await stat(partialPaths(target).partial)).size, content.length);
  const again = await download(house, 'f', { overwrite: true });
  assert.deepEqual(
    again.events.map(({ event }) => event),
    ['started', 'resumed', 'done'],
  );
  assert.ok((await readFile(target)).equals(content));
});

test('a link at the target is replaced, and where it leads is not touched', async () => {
  await using house = await openTestHouse({ f: 'new' });
  const elsewhere = join(house.root, 'elsewhere');
  await writeFile(elsewhere, 'mine');
  await symlink(elsewhere, join(house.downloads, 'f'));
  assert.partialDeepStrictEqual((await download(house, 'f')).last, { event: 'failed', code: 'exists' });
  const { target } = await download(house, 'f', { overwrite: true });
  assert.ok((await lstat(target)).isFile());
  assert.equal(await readFile(elsewhere, 'utf8'), 'mine');
});

test('a place where no file can be is refused before the house is asked', async () => {
  await using house = await openTestHouse({ f: 'x' });
  await mkdir(join(house.downloads, 'folder'));
  await writeFile(join(house.downloads, 'file'), '');
  const places: [target: string, says: RegExp][] = [
    [join(house.downloads, 'missing', 'f'), /does not exist/],
    [join(house.downloads, 'folder'), /a folder of that name is there/],
    [join(house.downloads, 'file', 'f'), /is no folder|should be a folder is a file/],
    ['relative', /must be an absolute path/],
    [`${house.downloads}/a\0b`, /must be an absolute path/],
  ];
  for (const [target, says] of places) {
    const { last } = await download(house, 'f', { target, overwrite: true });
    assert.ok(last.event === 'failed');
    assert.match(last.error, says);
  }
  assert.equal(house.server.requests.length, 0);
});

test('what the house does not give leaves nothing behind', async () => {
  await using house = await openTestHouse({ 'folder/f': 'x', 'setup.exe': 'x' });
  const expected: [path: string, code: string, says: RegExp][] = [
    ['nothing', 'not_found', /nothing at "\/nothing"/],
    ['setup.exe', 'refused', /programs/],
    ['folder', 'bad_request', /is a folder: fetch it with -r/],
    ['', 'bad_request', /Name a file/],
    ['../f', 'bad_request', /no path in a house/],
  ];
  for (const [path, code, says] of expected) {
    const { last } = await download(house, path, { target: join(house.downloads, 'out') });
    assert.ok(last.event === 'failed');
    assert.equal(last.code, code);
    assert.match(last.error, says);
  }
  assert.deepEqual(await readdir(house.downloads), []);
});

test('a name with no room for an ending is downloaded all the same', async () => {
  const name = 'ä'.repeat(127);
  await using house = await openTestHouse({ [name]: content });
  const { last, target } = await download(house, name);
  assert.equal(last.event, 'done');
  assert.ok((await readFile(target)).equals(content));
});

test('a connection that breaks is made again, and the file goes on where it was', async () => {
  await using house = await openTestHouse({ f: content });
  const starts: number[] = [];
  house.interfere = (request, response) => {
    if (isRequestFor('download', request)) {
      starts.push(rangeStart(request));
      if (starts.length < 4) cutAfter(response, 3 * mebibyte + 17);
    }
    return false;
  };
  const { events, target } = await download(house, 'f');
  assert.deepEqual(
    events.map(({ event }) => event),
    ['started', 'restarted', 'restarted', 'restarted', 'done'],
  );
  assert.ok((await readFile(target)).equals(content));
  assert.equal(starts.length, 4);
  assert.ok(starts.every((start, index) => index === 0 || start > (starts[index - 1] ?? 0)));
});

test('a house that cannot go on in the middle sends the file anew', async () => {
  await using house = await openTestHouse({ f: content });
  const { etag } = await (async () => {
    using client = house.client();
    return await client.head('f');
  })();
  let asked = 0;
  house.interfere = (request, response) => {
    if (!isRequestFor('download', request)) return false;
    asked += 1;
    response.writeHead(200, { etag, 'content-length': content.length });
    if (asked > 1) response.end(content);
    else response.write(content.subarray(0, 5 * mebibyte), () => response.socket?.destroySoon());
    return true;
  };
  const { events, target } = await download(house, 'f');
  assert.deepEqual(
    events.map((event) => (event.event === 'restarted' ? event.reason : event.event)),
    ['started', 'the house sends the file from its beginning and does not go on in the middle', 'done'],
  );
  assert.ok((await readFile(target)).equals(content));
  // Cut, then whole where a part was asked for, then whole as asked for.
  assert.equal(asked, 3);
});

test('a house that is lost for good is given up after a bounded number of tries, and the next try goes on', async () => {
  await using house = await openTestHouse({ f: content });
  house.interfere = (request, response) => {
    if (isRequestFor('download', request) && rangeStart(request) === 0) cutAfter(response, 9 * mebibyte);
    else if (isRequestFor('download', request)) request.socket.destroy();
    return isRequestFor('download', request) && rangeStart(request) > 0;
  };
  let connects = 0;
  const connect = (): Promise<ReturnType<typeof house.client>> => {
    connects += 1;
    return Promise.resolve(house.client());
  };
  const { last, target } = await download(house, 'f', { dependencies: { connect } });
  assert.partialDeepStrictEqual(last, { event: 'failed', code: 'unreachable' });
  assert.equal(connects, 1 + reconnectTriesMax);
  const { partial } = partialPaths(target);
  assert.ok((await stat(partial)).size > 0);

  house.interfere = undefined;
  const before = house.server.requests.length;
  const again = await download(house, 'f');
  assert.deepEqual(
    again.events.map(({ event }) => event),
    ['started', 'resumed', 'done'],
  );
  assert.ok((await readFile(target)).equals(content));
  assert.ok(house.server.requests.slice(before).some((each) => each.includes('from=0&count=')));
});

test('a house that nobody finds is not waited for', async () => {
  await using house = await openTestHouse({ f: 'x' });
  let connects = 0;
  const connect = (): Promise<never> => {
    connects += 1;
    return Promise.reject(Object.assign(new Error('nobody there'), { code: 'unreachable' }));
  };
  const { last } = await download(house, 'f', { dependencies: { connect } });
  assert.deepEqual(last, { event: 'failed', error: 'nobody there', code: 'unreachable' });
  assert.equal(connects, 1);
});

test('a house that is busy is asked again', async () => {
  await using house = await openTestHouse({ f: 'x' });
  let busy = 0;
  house.interfere = (request, response) => {
    if (busy >= 6) return false;
    busy += 1;
    answerJson(503, { error: 'the house is busy: try again later' })(request, response);
    return true;
  };
  assert.equal((await download(house, 'f')).last.event, 'done');
});

/** Leaves `bytes` of `f` beside its target, as an interrupted try does. */
async function interrupted(house: Awaited<ReturnType<typeof openTestHouse>>, bytes: number): Promise<string> {
  const abort = new AbortController();
  house.interfere = (request, response) => {
    if (isRequestFor('download', request)) cutAfter(response, bytes);
    return false;
  };
  const connect = (): Promise<ReturnType<typeof house.client>> =>
    connects++ === 0 ? Promise.resolve(house.client()) : Promise.reject(new Error('the end'));
  let connects = 0;
  const { last, target } = await download(house, 'f', { dependencies: { connect }, signal: abort.signal });
  assert.equal(last.event, 'failed');
  house.interfere = undefined;
  return partialPaths(target).partial;
}

test('what an earlier try left is checked: a changed byte is found and fetched again', async () => {
  await using house = await openTestHouse({ f: content });
  const partial = await interrupted(house, 10 * mebibyte);
  const left = await readFile(partial);
  const position = digestBlockBytes + 99;
  left[position] = (left[position] ?? 0) ^ 1;
  await writeFile(partial, left);
  const { events, target } = await download(house, 'f');
  assert.deepEqual(
    events.map((event) => [event.event, 'bytes' in event ? event.bytes : undefined]),
    [
      ['started', undefined],
      ['restarted', digestBlockBytes],
      ['done', content.length],
    ],
  );
  assert.ok((await readFile(target)).equals(content));
});

test('of what an earlier try left whole blocks are kept', async () => {
  await using house = await openTestHouse({ f: content });
  const partial = await interrupted(house, 10 * mebibyte);
  await truncate(partial, 2 * digestBlockBytes - 1);
  const { events, target } = await download(house, 'f');
  assert.deepEqual(events[1], { event: 'resumed', path: 'f', bytes: digestBlockBytes });
  assert.ok((await readFile(target)).equals(content));
});

test('a left-over that was lengthened with rubbish does no harm', async () => {
  await using house = await openTestHouse({ f: content });
  const partial = await interrupted(house, 10 * mebibyte);
  await writeFile(partial, Buffer.concat([await readFile(partial), randomBytes(20 * mebibyte)]));
  const { target } = await download(house, 'f');
  assert.ok((await readFile(target)).equals(content));
});

test('a left-over of another version is not used', async () => {
  await using house = await openTestHouse({ f: content });
  await interrupted(house, 10 * mebibyte);
  const newer = randomBytes(content.length);
  await writeFile(join(house.root, 'f'), newer);
  const { events, target } = await download(house, 'f');
  assert.deepEqual(
    events.map(({ event }) => event),
    ['started', 'restarted', 'done'],
  );
  assert.partialDeepStrictEqual(events[1], { bytes: 0 });
  assert.match(JSON.stringify(events[1]), /changed at the other side since the last try/);
  assert.ok((await readFile(target)).equals(newer));
});

test('a left-over of another file is replaced, and it is said', async () => {
  await using house = await openTestHouse({ f: content, g: 'another' });
  await interrupted(house, 10 * mebibyte);
  const { events, target } = await download(house, 'g', { target: join(house.downloads, 'f') });
  assert.match(JSON.stringify(events[1]), /another file/);
  assert.equal(await readFile(target, 'utf8'), 'another');
  assert.deepEqual(await readdir(house.downloads), ['f']);
});

test('a file that changes while it is fetched is fetched anew', async () => {
  await using house = await openTestHouse({ f: content });
  const newer = randomBytes(content.length + 1);
  let downloads = 0;
  house.interfere = (request, response) => {
    if (isRequestFor('download', request) && downloads++ === 0) cutAfter(response, 5 * mebibyte);
    return false;
  };
  const { events, target } = await download(house, 'f', {
    onEvent: async ({ event }) => {
      if (event === 'started' && downloads <= 1) await writeFile(join(house.root, 'f'), newer);
    },
  });
  assert.equal(events.at(-1)?.event, 'done');
  assert.ok(events.some((event) => event.event === 'restarted' && event.bytes === 0));
  assert.ok((await readFile(target)).equals(newer));
});

test('a file that never stops changing is given up', async () => {
  await using house = await openTestHouse({ f: content });
  let version = 0;
  house.interfere = (request, response) => {
    if (!isRequestFor('download', request)) return false;
    version += 1;
    response.writeHead(200, { etag: `"${version}"`, 'content-length': content.length }).end(content);
    return true;
  };
  const { events, last } = await download(house, 'f');
  assert.partialDeepStrictEqual(last, { event: 'failed', code: 'failed' });
  assert.match(JSON.stringify(last), /keeps changing/);
  assert.equal(version, 4);
  assert.equal(events.filter(({ event }) => event === 'restarted').length, 3);
});

test('bytes that arrive wrong once are found by their block and fetched again', async () => {
  await using house = await openTestHouse({ f: content });
  let spoilt = 0;
  const ranges: (string | undefined)[] = [];
  house.interfere = (request, response) => {
    if (!isRequestFor('download', request)) return false;
    ranges.push(request.headers.range);
    if (ranges.length === 1)
      spoilBody(response, (chunk, position) => {
        const offset = digestBlockBytes + 5 - position;
        if (offset < 0 || offset >= chunk.length) return;
        chunk[offset] = (chunk[offset] ?? 0) ^ 1;
        spoilt += 1;
      });
    return false;
  };
  const { events, target } = await download(house, 'f');
  assert.equal(spoilt, 1);
  assert.deepEqual(ranges, [undefined, `bytes=${digestBlockBytes}-${2 * digestBlockBytes - 1}`]);
  assert.deepEqual(
    events.map(({ event }) => event),
    ['started', 'restarted', 'done'],
  );
  assert.ok((await readFile(target)).equals(content));
});

test('bytes that arrive wrong again and again are not kept asking for, and get no name', async () => {
  await using house = await openTestHouse({ f: content });
  let asked = 0;
  house.interfere = (request, response) => {
    if (!isRequestFor('download', request)) return false;
    asked += 1;
    const from = rangeStart(request);
    spoilBody(response, (chunk, position) => {
      if (from + position === 0) chunk[0] = (chunk[0] ?? 0) ^ 1;
    });
    return false;
  };
  const { last, target } = await download(house, 'f');
  assert.partialDeepStrictEqual(last, { event: 'failed', code: 'corrupt' });
  assert.equal(asked, 1 + 3);
  await assert.rejects(stat(target), { code: 'ENOENT' });
});

test('a house that contradicts itself about the whole file is not believed', async () => {
  await using house = await openTestHouse({ f: 'hello' });
  const etags: string[] = [];
  house.interfere = (request, response) => {
    if (!request.url?.includes('blocks=none')) return false;
    void stat(join(house.root, 'f')).then(async (stats) => {
      using client = house.client();
      const { etag } = await client.head('f');
      etags.push(etag);
      answerJson(200, {
        path: 'f',
        size: stats.size,
        modified: stats.mtime.toISOString(),
        etag,
        blockBytes: digestBlockBytes,
        sha256: sha256(Buffer.from('something else')),
      })(request, response);
    });
    return true;
  };
  const { last } = await download(house, 'f');
  assert.partialDeepStrictEqual(last, { event: 'failed', code: 'corrupt' });
  assert.match(JSON.stringify(last), /contradict/);
});

test('a file that claims to be larger than the disk is refused at once', async () => {
  await using house = await openTestHouse({ f: 'x' });
  house.interfere = (request, response) => {
    if (!isRequestFor('download', request)) return false;
    response.writeHead(200, { etag: '"1"', 'content-length': 2 ** 50 });
    response.write(Buffer.alloc(100_000));
    return true;
  };
  const { last } = await download(house, 'f');
  assert.partialDeepStrictEqual(last, { event: 'failed', code: 'failed' });
  assert.match(JSON.stringify(last), /needs 1125899906842624 more bytes/);
  assert.deepEqual(await readdir(house.downloads), []);
});

test('a second download to the same file is refused while the first runs', async () => {
  await using house = await openTestHouse({ f: content });
  const active = new ActiveDownloads();
  const link = join(house.downloads, 'link');
  await symlink(house.downloads, link);
  const seconds: unknown[] = [];
  const { last } = await download(house, 'f', {
    dependencies: { active },
    onEvent: async ({ event }) => {
      if (event !== 'started') return;
      for (const target of [join(house.downloads, 'f'), join(link, 'f')])
        seconds.push((await download(house, 'f', { target, dependencies: { active } })).last);
    },
  });
  assert.equal(last.event, 'done');
  assert.equal(seconds.length, 2);
  for (const second of seconds)
    assert.match(JSON.stringify(second), /failed.*another download to it is under way/);
});

test('a file of somebody else in the place of the partial is left alone', async () => {
  await using house = await openTestHouse({ f: 'x' });
  const { partial, journal } = partialPaths(join(house.downloads, 'f'));
  await writeFile(partial, 'mine');
  assert.match(JSON.stringify((await download(house, 'f')).last), /in the way/);
  assert.equal(await readFile(partial, 'utf8'), 'mine');
  await writeFile(journal, '{"mine":true}');
  assert.match(JSON.stringify((await download(house, 'f')).last), /in the way/);
  assert.equal(await readFile(journal, 'utf8'), '{"mine":true}');
});

test("a journal that a power failure emptied is in nobody's way", async () => {
  await using house = await openTestHouse({ f: 'x' });
  const { partial, journal } = partialPaths(join(house.downloads, 'f'));
  await writeFile(partial, 'half');
  await writeFile(journal, '');
  const { last } = await download(house, 'f');
  assert.equal(last.event, 'done');
  assert.deepEqual(await readdir(house.downloads), ['f']);
});

test('a link in the place of the partial is not followed', async () => {
  await using house = await openTestHouse({ f: content });
  const partial = await interrupted(house, 5 * mebibyte);
  const elsewhere = join(house.root, 'elsewhere');
  await writeFile(elsewhere, 'mine');
  await rm(partial);
  await symlink(elsewhere, partial);
  assert.match(JSON.stringify((await download(house, 'f')).last), /in the way/);
  assert.equal(await readFile(elsewhere, 'utf8'), 'mine');
});

test('a second name of another file in the place of the partial is left alone', async () => {
  await using house = await openTestHouse({ f: content });
  const partial = await interrupted(house, 5 * mebibyte);
  const elsewhere = join(house.root, 'elsewhere');
  await writeFile(elsewhere, 'mine');
  await rm(partial);
  await link(elsewhere, partial);
  assert.match(JSON.stringify((await download(house, 'f')).last), /in the way/);
  assert.equal(await readFile(elsewhere, 'utf8'), 'mine');
});

test('a partial is ours when it belongs to this user or to the owner of the folder, under one name', () => {
  const [us, owner, stranger] = [1000, 0, 1001];
  assert.equal(couldBeOurs({ uid: us, nlink: 1 }, owner, us), true);
  assert.equal(couldBeOurs({ uid: owner, nlink: 1 }, owner, us), true);
  assert.equal(couldBeOurs({ uid: stranger, nlink: 1 }, owner, us), false);
  assert.equal(couldBeOurs({ uid: us, nlink: 2 }, owner, us), false);
  // Windows has no such numbers.
  assert.equal(couldBeOurs({ uid: 0, nlink: 1 }, 0, undefined), true);
});

test('a partial that another living process writes to is left to it, until it falls silent', async () => {
  await using house = await openTestHouse({ f: content });
  const partial = await interrupted(house, 5 * mebibyte);
  const journal = `${partial}.json`;
  const text = await readFile(journal, 'utf8');
  await writeFile(journal, text.replace(/"pid": \d+/, `"pid": ${process.ppid}`));
  assert.match(JSON.stringify((await download(house, 'f')).last), /another program \(process \d+\)/);
  const anHourAgo = Date.now() / 1000 - 3600;
  await utimes(journal, anHourAgo, anHourAgo);
  assert.equal((await download(house, 'f')).last.event, 'done');
});

test('a partial whose writer died can be taken at once', async () => {
  await using house = await openTestHouse({ f: content });
  const journal = `${await interrupted(house, 5 * mebibyte)}.json`;
  const text = await readFile(journal, 'utf8');
  // Above the largest process number that Linux gives (2^22).
  await writeFile(journal, text.replace(/"pid": \d+/, '"pid": 99999999'));
  assert.equal((await download(house, 'f')).last.event, 'done');
});

test('a partial that is removed under the writer is noticed', async () => {
  await using house = await openTestHouse({ f: content });
  const { last, target } = await download(house, 'f', {
    onEvent: ({ event }) =>
      event === 'started' ? rm(partialPaths(join(house.downloads, 'f')).partial) : undefined,
  });
  assert.partialDeepStrictEqual(last, { event: 'failed', code: 'failed' });
  assert.match(JSON.stringify(last), /removed or replaced/);
  await assert.rejects(stat(target), { code: 'ENOENT' });
});

test('a folder without permission to write is named', {
  skip: process.getuid?.() === 0 && 'root may write anywhere',
}, async () => {
  await using house = await openTestHouse({ f: 'x' });
  await chmod(house.downloads, 0o500);
  const { last } = await download(house, 'f');
  await chmod(house.downloads, 0o700);
  assert.match(JSON.stringify(last), /no permission/);
});
