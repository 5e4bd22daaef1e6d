import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { housePathBytesMax } from '../../wire/house-path.ts';
import type { DownloadEvent } from '../../wire/local-api.ts';
import { answerJson } from '../testing/https-server.ts';
import { ActiveDownloads } from './active-downloads.ts';
import { FolderDownload, filesAtOnceMax } from './download-folder.ts';
import type { FolderProgress } from './folder-tally.ts';
import { HouseSession } from './house-session.ts';
import { download, randomBytes } from './testing/run.ts';
import { cutAfter, isRequestFor, openTestHouse, rangeStart } from './testing/test-house.ts';

const modified = '2026-01-01T00:00:00Z';

/** Everything below `folder` that is a file, with its content. */
async function contents(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const pairs = await Promise.all(
    files.map(async ({ name, parentPath }): Promise<[string, string]> => {
      const path = join(parentPath, name);
      return [path.slice(folder.length + 1), await readFile(path, 'latin1')];
    }),
  );
  return Object.fromEntries(pairs);
}

/** Path and reason of what was left out. */
function skips(events: readonly DownloadEvent[]): [string, string][] {
  return events.flatMap((event) => (event.event === 'skipped' ? [[event.path, event.reason]] : []));
}

const tree = {
  'a/one.txt': 'one',
  'a/ü ö.txt': 'two',
  'a/sub/deep/three.txt': 'three',
  'a/empty': '',
  'a/nothing/': '',
  'b.txt': 'outside the folder that is asked for',
};

test('a folder comes with all that is in it, the empty folders too', async () => {
  await using house = await openTestHouse(tree);
  const { events, last, target } = await download(house, 'a', { recursive: true });
  assert.deepEqual(await contents(target), {
    'one.txt': 'one',
    'ü ö.txt': 'two',
    'sub/deep/three.txt': 'three',
    empty: '',
  });
  assert.ok((await stat(join(target, 'nothing'))).isDirectory());
  assert.deepEqual(last, {
    event: 'done',
    path: target,
    files: 4,
    bytes: 11,
    hereAlready: 0,
    leftOut: 0,
    via: 'direct',
  });
  const files = events.flatMap((event) => (event.event === 'file' ? [event.path] : []));
  assert.deepEqual(files.sort(), ['a/empty', 'a/one.txt', 'a/sub/deep/three.txt', 'a/ü ö.txt'].sort());
});

test('a whole house comes into a folder that is there', async () => {
  await using house = await openTestHouse(tree);
  const target = join(house.downloads, 'all');
  await mkdir(target);
  await writeFile(join(target, 'mine.txt'), 'mine');
  const { last } = await download(house, '', { recursive: true, target });
  assert.equal(last.event, 'done');
  const there = await contents(target);
  assert.equal(there['mine.txt'], 'mine');
  assert.equal(there['b.txt'], tree['b.txt']);
  assert.equal(there['a/sub/deep/three.txt'], 'three');
});

test('what is here already is not fetched again', async () => {
  await using house = await openTestHouse(tree);
  await download(house, 'a', { recursive: true });
  const before = house.server.requests.length;
  const { events, last } = await download(house, 'a', { recursive: true });
  assert.partialDeepStrictEqual(last, { event: 'done', files: 0, bytes: 0, hereAlready: 4, leftOut: 0 });
  assert.equal(
    events.filter((event) => event.event === 'skipped' && event.code === 'here_already').length,
    4,
  );
  assert.ok(house.server.requests.slice(before).every((each) => !each.includes('/download/')));
});

test('what the house does not name is counted, folder by folder', async () => {
  await using house = await openTestHouse({ 'a/ok': 'ok', 'a/b:c': '1', 'a/nul': '2', 'a/sub/x\\y': '3' });
  await symlink('/etc/hostname', join(house.root, 'a/sub/outside'));
  const { events, last, target } = await download(house, 'a', { recursive: true });
  assert.deepEqual(
    events.filter(({ event }) => event === 'skipped'),
    [
      {
        event: 'skipped',
        path: 'a/sub',
        code: 'omitted',
        reason: 'their names or kinds do not travel',
        count: 2,
      },
      {
        event: 'skipped',
        path: 'a',
        code: 'omitted',
        reason: 'their names or kinds do not travel',
        count: 2,
      },
    ],
  );
  assert.partialDeepStrictEqual(last, { event: 'done', files: 1, leftOut: 4 });
  assert.deepEqual(await contents(target), { ok: 'ok' });
});

test('a file that differs is kept, named, and makes the end a failure; with overwrite it is replaced', async () => {
  await using house = await openTestHouse(tree);
  const target = join(house.downloads, 'a');
  await mkdir(target);
  await writeFile(join(target, 'one.txt'), 'ONE');
  await writeFile(join(target, 'empty'), 'not empty');
  const kept = await download(house, 'a', { recursive: true });
  assert.partialDeepStrictEqual(kept.last, { event: 'failed', code: 'exists' });
  assert.match(JSON.stringify(kept.last), /2 files were fetched. 2 are missing/);
  assert.ok(kept.events.every((event) => event.event !== 'skipped' || event.code === 'missing'));
  const again = await download(house, 'a', { recursive: true });
  assert.match(JSON.stringify(again.last), /0 files were fetched, 2 were here already. 2 are missing/);
  assert.deepEqual(
    skips(kept.events)
      .map(([path]) => path)
      .sort(),
    ['a/empty', 'a/one.txt'],
  );
  assert.equal((await contents(target))['one.txt'], 'ONE');
  const replaced = await download(house, 'a', { recursive: true, overwrite: true });
  assert.partialDeepStrictEqual(replaced.last, { event: 'done', files: 2 });
  assert.equal((await contents(target))['one.txt'], 'one');
  assert.equal((await contents(target))['empty'], '');
});

test('links and files in the target are not followed or replaced by folders', async () => {
  await using house = await openTestHouse({
    'a/link/x': 'x',
    'a/file/x': 'x',
    'a/leaf': 'new',
    'a/ok': 'ok',
  });
  const target = join(house.downloads, 'a');
  const elsewhere = join(house.downloads, 'elsewhere');
  await mkdir(target);
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, 'leaf'), 'mine');
  await symlink(elsewhere, join(target, 'link'));
  await symlink(join(elsewhere, 'leaf'), join(target, 'leaf'));
  await writeFile(join(target, 'file'), 'mine');
  const { events, last } = await download(house, 'a', { recursive: true, overwrite: true });
  assert.deepEqual(await contents(elsewhere), { leaf: 'mine' });
  assert.deepEqual(skips(events), [
    ['a/file', 'a file stands in its place'],
    ['a/link', 'a symbolic link stands in its place'],
  ]);
  assert.equal((await contents(target))['leaf'], 'new');
  assert.equal((await contents(target))['ok'], 'ok');
  assert.equal(last.event, 'done');
});

test('programs are left out without a word to the house', async () => {
  await using house = await openTestHouse({ 'a/setup.exe': 'x', 'a/ok': 'ok' });
  const { events, last } = await download(house, 'a', { recursive: true });
  assert.deepEqual(
    skips(events).map(([path]) => path),
    ['a/setup.exe'],
  );
  assert.partialDeepStrictEqual(last, { event: 'done', files: 1 });
  assert.ok(!house.server.requests.some((each) => each.includes('/download/a/setup')));
});

test('links that lead round in circles end', async () => {
  await using house = await openTestHouse({ 'a/x/f': 'f', 'b/y/g': 'g' });
  await symlink('..', join(house.root, 'a/x/up'));
  await symlink('../../b', join(house.root, 'a/x/b'));
  await symlink('../../a', join(house.root, 'b/y/a'));
  const { events, last, target } = await download(house, 'a', { recursive: true });
  assert.equal(last.event, 'done');
  assert.deepEqual(await contents(target), { 'x/f': 'f', 'x/b/y/g': 'g' });
  assert.deepEqual(
    skips(events)
      .map(([path]) => path)
      .sort(),
    ['a/x/b/y/a', 'a/x/up'],
  );
});

/** Answers for folders in the house's place. */
function listings(entriesOf: (folder: string) => object[] | undefined) {
  return (request: Parameters<typeof isRequestFor>[1], response: Parameters<typeof cutAfter>[0]): boolean => {
    const path = /^\/api\/files\/?([^?]*)/.exec(request.url ?? '')?.[1];
    const entries = path === undefined ? undefined : entriesOf(decodeURIComponent(path));
    if (entries === undefined) return false;
    answerJson(200, { path: '', entries })(request, response);
    return true;
  };
}

test('folders without end are left out where a path becomes too long', async () => {
  await using house = await openTestHouse();
  house.interfere = listings(() => [{ name: 'd', type: 'directory', size: 0, modified }]);
  const { events, last } = await download(house, '', { recursive: true });
  assert.partialDeepStrictEqual(last, { event: 'done', files: 0 });
  assert.deepEqual(skips(events), [['d/'.repeat(65).slice(0, -1), 'a path over 64 segments']]);
});

test('a path that is too long for this system costs what is below it and nothing beside it', async () => {
  await using house = await openTestHouse({ z: 'z' });
  const long = 'x'.repeat(250);
  house.interfere = listings((folder) => [
    // As long as a path in a house may be, which is too long below a folder of ours.
    ...(folder.length + long.length < housePathBytesMax
      ? [{ name: long, type: 'directory', size: 0, modified }]
      : []),
    ...(folder === '' ? [{ name: 'z', type: 'file', size: 1, modified }] : []),
  ]);
  const target = join(house.downloads, 't'.repeat(200), 't'.repeat(200));
  await mkdir(dirname(target));
  const { events, last } = await download(house, '', { recursive: true, target });
  assert.partialDeepStrictEqual(last, { event: 'done', files: 1 });
  assert.equal(await readFile(join(target, 'z'), 'utf8'), 'z');
  assert.match(skips(events).at(-1)?.[1] ?? '', /too long for the file system/);
});

for (const name of ['..', 'a/b', '../../evil', 'C:', 'nul', 'x\u0000', '\u001b[2J'])
  test(`a house that lists ${JSON.stringify(name)} is not followed`, async () => {
    await using house = await openTestHouse();
    const target = join(house.downloads, 'in', 'all');
    await mkdir(join(house.downloads, 'in'));
    house.interfere = listings(() => [{ name, type: 'file', size: 1, modified }]);
    const { last } = await download(house, '', { recursive: true, target });
    assert.partialDeepStrictEqual(last, { event: 'failed', code: 'failed' });
    assert.deepEqual(await readdir(house.downloads, { recursive: true }), ['in', 'in/all']);
  });

test('a file that could be taken for a journal of ours is left out', async () => {
  await using house = await openTestHouse({ 'a/x.partial.json': '{}', 'a/y': 'y' }, { showHidden: true });
  const { events, last } = await download(house, 'a', { recursive: true });
  assert.deepEqual(
    skips(events).map(([path]) => path),
    ['a/x.partial.json'],
  );
  assert.partialDeepStrictEqual(last, { event: 'done', files: 1 });
});

test('a file whose name is that of the partial of another does not get in its way', async () => {
  const large = randomBytes(9 * 1024 * 1024);
  await using house = await openTestHouse(
    { 'a/x': large, 'a/x.partial': 'small', 'a/X': 'other' },
    { showHidden: true },
  );
  for (let run = 0; run < 3; run += 1) {
    const target = join(house.downloads, String(run));
    const { last } = await download(house, 'a', { recursive: true, target });
    assert.partialDeepStrictEqual(last, { event: 'done', files: 3 });
    assert.deepEqual(await contents(target), {
      x: large.toString('latin1'),
      'x.partial': 'small',
      X: 'other',
    });
  }
});

test('what is gone since the listing is left out', async () => {
  await using house = await openTestHouse(tree);
  house.interfere = (request) => {
    if (isRequestFor('download', request) || isRequestFor('digest', request))
      void rm(join(house.root, 'a/ü ö.txt'), { force: true });
    return false;
  };
  const slow = house.interfere;
  house.interfere = (request, response) => {
    if (!isRequestFor('download', request) || !request.url?.includes('%C3%BC'))
      return slow(request, response);
    answerJson(404, { error: 'not found' })(request, response);
    return true;
  };
  const { events, last } = await download(house, 'a', { recursive: true });
  assert.partialDeepStrictEqual(last, { event: 'done', files: 3 });
  assert.deepEqual(skips(events), [['a/ü ö.txt', 'it is gone since the folder was listed']]);
});

test('a file that the house refuses is left out; a house that refuses us ends it', async () => {
  await using house = await openTestHouse(tree);
  let isShut = false;
  house.interfere = (request, response) => {
    if (!isShut && !request.url?.includes('one.txt')) return false;
    answerJson(403, { error: 'no' })(request, response);
    return true;
  };
  const partly = await download(house, 'a', { recursive: true });
  assert.partialDeepStrictEqual(partly.last, { event: 'done', files: 3 });
  assert.deepEqual(skips(partly.events), [['a/one.txt', 'The house refuses "/a/one.txt": no']]);
  const shut = await download(house, 'a', {
    recursive: true,
    target: join(house.downloads, 'shut'),
    onEvent: ({ event }) => {
      if (event === 'started') isShut = true;
    },
  });
  assert.partialDeepStrictEqual(shut.last, { event: 'failed', code: 'refused' });
});

test('a connection that breaks is made again once for all files that are under way', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 12 }, (_, index) => [`a/${index}`, randomBytes(100_000)]),
  );
  await using house = await openTestHouse(files);
  let cuts = 0;
  house.interfere = (request) => {
    if (isRequestFor('download', request) && cuts < 3) {
      cuts += 1;
      house.server.cut();
      return true;
    }
    return false;
  };
  let connects = 0;
  const connect = (): Promise<ReturnType<typeof house.client>> => {
    connects += 1;
    return Promise.resolve(house.client());
  };
  const { last, target } = await download(house, 'a', { recursive: true, dependencies: { connect } });
  assert.partialDeepStrictEqual(last, { event: 'done', files: 12 });
  assert.ok(connects <= 1 + cuts, `${connects} connections for ${cuts} cuts`);
  const there = await contents(target);
  for (const [path, bytes] of Object.entries(files))
    assert.equal(there[path.slice(2)], bytes.toString('latin1'));
});

test('a folder that was interrupted goes on with the file it was at', async () => {
  const large = randomBytes(10 * 1024 * 1024);
  await using house = await openTestHouse({ 'a/1': 'one', 'a/2': large, 'a/3': 'three' });
  house.interfere = (request, response) => {
    if (!request.url?.startsWith('/download/a/2')) return false;
    if (rangeStart(request) > 0) return answerWith(500, request, response);
    cutAfter(response, 9 * 1024 * 1024);
    return false;
  };
  assert.partialDeepStrictEqual((await download(house, 'a', { recursive: true })).last, { event: 'failed' });
  house.interfere = undefined;
  const { events, last, target } = await download(house, 'a', { recursive: true });
  assert.equal(last.event, 'done');
  assert.ok(events.some((event) => event.event === 'resumed' && event.path === 'a/2' && event.bytes > 0));
  assert.deepEqual(await contents(target), { 1: 'one', 2: large.toString('latin1'), 3: 'three' });
});

function answerWith(
  status: number,
  request: Parameters<typeof isRequestFor>[1],
  response: Parameters<typeof cutAfter>[0],
): boolean {
  answerJson(status, { error: 'no' })(request, response);
  return true;
}

test('a few small files are fetched at a time, and a large one alone', async () => {
  const files = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`a/${index}`, 'small']));
  await using house = await openTestHouse({ ...files, 'a/5-large': randomBytes(8 * 1024 * 1024) });
  const running = new Set<string>();
  let together = 0;
  const besideLarge = new Set<string>();
  house.interfere = (request, response) => {
    const { url = '' } = request;
    if (!isRequestFor('download', request)) return false;
    running.add(url);
    together = Math.max(together, running.size);
    if (running.has('/download/a/5-large')) for (const each of running) besideLarge.add(each);
    response.on('close', () => running.delete(url));
    return false;
  };
  assert.equal((await download(house, 'a', { recursive: true })).last.event, 'done');
  assert.ok(together > 1 && together <= filesAtOnceMax, `${together} together`);
  assert.deepEqual([...besideLarge], ['/download/a/5-large']);
});

test('a file is no folder, and a folder that is missing is not found', async () => {
  await using house = await openTestHouse({ f: 'x' });
  const file = await download(house, 'f', { recursive: true });
  assert.match(JSON.stringify(file.last), /is a file: fetch it without -r/);
  const missing = await download(house, 'nothing', { recursive: true });
  assert.partialDeepStrictEqual(missing.last, { event: 'failed', code: 'not_found' });
});

test('a target that cannot be a folder is refused', async () => {
  await using house = await openTestHouse(tree);
  await writeFile(join(house.downloads, 'file'), '');
  for (const target of [join(house.downloads, 'file'), join(house.downloads, 'no', 'a'), 'relative']) {
    const { last } = await download(house, 'a', { recursive: true, target });
    assert.partialDeepStrictEqual(last, { event: 'failed', code: 'bad_request' }, target);
  }
});

test('the total is that of all files without what is left out', async () => {
  await using house = await openTestHouse({
    'a/1': randomBytes(9_000_000),
    'a/2.exe': 'xxxx',
    'a/s/3': 'three',
  });
  const { signal } = new AbortController();
  using session = new HouseSession({ connect: () => Promise.resolve(house.client()), signal });
  const seen: FolderProgress[] = [];
  const quiet = (): void => {};
  const folder: FolderDownload = new FolderDownload({
    session,
    peer: 'owner@example.com',
    path: 'a',
    target: join(house.downloads, 'a'),
    overwrite: false,
    active: new ActiveDownloads(),
    observer: {
      started: quiet,
      resumed: quiet,
      restarted: quiet,
      skipped: quiet,
      file: () => void seen.push(folder.progress),
      room: () => Promise.resolve(),
    },
    nowMs: Date.now,
    signal,
  });
  await folder.run();
  assert.deepEqual(seen, [
    { bytes: 9_000_000, total: 9_000_005, files: 1, filesTotal: 2, isTotalKnown: true },
    { bytes: 9_000_005, total: 9_000_005, files: 2, filesTotal: 2, isTotalKnown: true },
  ]);
});
