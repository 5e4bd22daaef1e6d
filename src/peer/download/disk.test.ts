import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { partialPaths } from './journal.ts';
import { download, randomBytes } from './testing/run.ts';
import { cutAfter, isRequestFor, openTestHouse, rangeStart, stallAfter } from './testing/test-house.ts';

const mebibyte = 1024 * 1024;
const run = promisify(execFile);

interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  remount(mode: 'ro' | 'rw'): Promise<void>;
}

/** A disk of 20 MiB in memory; undefined where this user may not mount one. */
async function smallDisk(): Promise<SmallDisk | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const folder = await temporaryFolder();
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'flashback-test', folder.path]);
  } catch {
    await folder[Symbol.asyncDispose]();
    return undefined;
  }
  return {
    path: folder.path,
    remount: async (mode) => void (await run('mount', ['-o', `remount,${mode}`, folder.path])),
    async [Symbol.asyncDispose]() {
      await run('umount', [folder.path]);
      await folder[Symbol.asyncDispose]();
    },
  };
}
const noDisk = 'mounting a small disk needs root on Linux';

test('a disk that fills up on the way says so, keeps what came, and the next try goes on', async (context) => {
  await using disk = await smallDisk();
  if (disk === undefined) return context.skip(noDisk);
  const content = randomBytes(14 * mebibyte);
  await using house = await openTestHouse({ f: content });
  const target = join(disk.path, 'f');
  const other = join(disk.path, 'other');
  house.interfere = (request, response) => {
    if (isRequestFor('download', request) && rangeStart(request) === 0) cutAfter(response, 8 * mebibyte);
    return false;
  };
  // Somebody else takes the rest of the disk while the connection is made again.
  let connects = 0;
  const connect = async (): Promise<ReturnType<typeof house.client>> => {
    connects += 1;
    if (connects === 2) await writeFile(other, randomBytes(9 * mebibyte));
    return house.client();
  };
  const { last } = await download(house, 'f', { target, dependencies: { connect } });
  assert.partialDeepStrictEqual(last, { event: 'failed', code: 'failed' });
  assert.match(JSON.stringify(last), /the disk is full. What came so far is kept/);
  assert.ok((await stat(partialPaths(target).partial)).size > 4 * mebibyte);

  house.interfere = undefined;
  const stillFull = await download(house, 'f', { target });
  assert.match(JSON.stringify(stillFull.last), /the disk (is full|has \d+ free)/);
  await rm(other);
  const { events } = await download(house, 'f', { target });
  assert.deepEqual(
    events.map(({ event }) => event),
    ['started', 'resumed', 'done'],
  );
  assert.ok((await readFile(target)).equals(content));
  assert.deepEqual(await readdir(disk.path), ['f']);
});

test('a file that does not fit is refused before its first byte', async (context) => {
  await using disk = await smallDisk();
  if (disk === undefined) return context.skip(noDisk);
  await using house = await openTestHouse({ f: randomBytes(21 * mebibyte) });
  const { last } = await download(house, 'f', { target: join(disk.path, 'f') });
  assert.match(JSON.stringify(last), /needs \d+ more bytes and the disk has \d+ free/);
  assert.deepEqual(await readdir(disk.path), []);
});

test('a folder whose files do not all fit ends as a failure, with whole files only under their names', async (context) => {
  await using disk = await smallDisk();
  if (disk === undefined) return context.skip(noDisk);
  const files = Object.fromEntries(
    Array.from({ length: 8 }, (_, index) => [`a/${index}`, randomBytes(4 * mebibyte)]),
  );
  await using house = await openTestHouse(files);
  const target = join(disk.path, 'a');
  const { events, last } = await download(house, 'a', { recursive: true, target });
  assert.partialDeepStrictEqual(last, { event: 'failed', code: 'failed' });
  const named = (await readdir(target)).filter((name) => /^\d$/.test(name));
  assert.equal(named.length, events.filter(({ event }) => event === 'file').length);
  for (const name of named)
    assert.ok((await readFile(join(target, name))).equals(files[`a/${name}`] ?? Buffer.alloc(0)));
});

test('a disk that is read-only says so, from the start or on the way', async (context) => {
  await using disk = await smallDisk();
  if (disk === undefined) return context.skip(noDisk);
  await using house = await openTestHouse({ f: randomBytes(9 * mebibyte), 'a/f': 'x' });
  await disk.remount('ro');
  const file = await download(house, 'f', { target: join(disk.path, 'f') });
  assert.match(JSON.stringify(file.last), /failed.*the disk is read-only/);
  const folder = await download(house, 'a', { recursive: true, target: join(disk.path, 'a') });
  assert.match(JSON.stringify(folder.last), /failed.*the disk is read-only/);
  await disk.remount('rw');
  assert.equal((await download(house, 'f', { target: join(disk.path, 'f') })).last.event, 'done');
});

test('a download that stands still holds nothing but its own disk', async (context) => {
  await using disk = await smallDisk();
  if (disk === undefined) return context.skip(noDisk);
  await using house = await openTestHouse({ f: randomBytes(9 * mebibyte), g: 'g' });
  house.interfere = (request, response) => {
    if (isRequestFor('download', request) && request.url === '/download/f') stallAfter(response, mebibyte);
    return false;
  };
  const abort = new AbortController();
  const { last } = await download(house, 'f', {
    target: join(disk.path, 'f'),
    signal: abort.signal,
    onEvent: async ({ event }) => {
      if (event !== 'started') return;
      assert.equal((await download(house, 'g', { target: join(disk.path, 'g') })).last.event, 'done');
      abort.abort();
    },
  });
  assert.partialDeepStrictEqual(last, { event: 'failed', code: 'cancelled' });
});
