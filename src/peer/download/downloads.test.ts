import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DownloadEvent, DownloadRequest } from '../../wire/local-api.ts';
import { ActiveDownloads, downloadsAtOnceMax, downloadsWaitingMax } from './active-downloads.ts';
import { runDownload } from './downloads.ts';
import { partialPaths } from './journal.ts';
import { dependenciesFor, download, randomBytes } from './testing/run.ts';
import { isRequestFor, openTestHouse, stallAfter } from './testing/test-house.ts';

const mebibyte = 1024 * 1024;
const content = randomBytes(12 * mebibyte);

test('progress is told while bytes move, at most five times a second, and never goes beyond the total', async () => {
  await using house = await openTestHouse({ f: content });
  house.interfere = (request, response) => {
    if (isRequestFor('download', request)) stallAfter(response, 6 * mebibyte);
    return false;
  };
  const abort = new AbortController();
  const told: { readonly atMs: number; readonly event: DownloadEvent }[] = [];
  await download(house, 'f', {
    signal: abort.signal,
    onEvent: (event) => {
      if (event.event !== 'progress') return;
      told.push({ atMs: performance.now(), event });
      if (told.length === 6) abort.abort();
    },
  });
  assert.equal(told.length, 6);
  // Six are five intervals of 200 ms; timers are late, never early by more than their rounding.
  assert.ok((told[5]?.atMs ?? 0) - (told[0]?.atMs ?? 0) > 800);
  for (const { event } of told) {
    assert.ok(event.event === 'progress');
    assert.equal(event.total, content.length);
    assert.ok(event.bytes <= 6 * mebibyte);
  }
});

test('an abort ends a download at once, and the next goes on where it was', async () => {
  await using house = await openTestHouse({ f: content });
  house.interfere = (request, response) => {
    if (isRequestFor('download', request)) stallAfter(response, 9 * mebibyte);
    return false;
  };
  const abort = new AbortController();
  const { last, target } = await download(house, 'f', {
    signal: abort.signal,
    onEvent: (event) => {
      if (event.event === 'progress' && event.bytes >= 8 * mebibyte) abort.abort();
    },
  });
  assert.partialDeepStrictEqual(last, { event: 'failed', code: 'cancelled' });
  assert.ok((await stat(partialPaths(target).partial)).size >= 4 * mebibyte);
  house.interfere = undefined;
  const { events } = await download(house, 'f');
  assert.deepEqual(
    events.map(({ event }) => event),
    ['started', 'resumed', 'done'],
  );
  assert.ok((await readFile(target)).equals(content));
  assert.deepEqual(await readdir(house.downloads), ['f']);
});

test('an abort before the first byte leaves nothing behind', async () => {
  await using house = await openTestHouse({ f: content });
  const abort = new AbortController();
  house.interfere = (request) => {
    if (!isRequestFor('download', request)) return false;
    abort.abort();
    return true;
  };
  const { last } = await download(house, 'f', { signal: abort.signal });
  assert.partialDeepStrictEqual(last, { event: 'failed', code: 'cancelled' });
  assert.deepEqual(await readdir(house.downloads), []);
});

test('a reader who leaves stops the download', async () => {
  await using house = await openTestHouse({ f: content });
  house.interfere = (request, response) => {
    if (isRequestFor('download', request)) stallAfter(response, mebibyte);
    return false;
  };
  const request: DownloadRequest = {
    peer: 'owner@example.com',
    path: 'f',
    target: join(house.downloads, 'f'),
    overwrite: false,
    recursive: false,
  };
  const active = new ActiveDownloads();
  for await (const event of runDownload(
    request,
    dependenciesFor(house, { active }),
    new AbortController().signal,
  ))
    if (event.event === 'started') break;
  house.interfere = undefined;
  // Nothing holds the target or the place any more.
  const { last } = await download(house, 'f', { dependencies: { active } });
  assert.equal(last.event, 'done');
});

test('an error that nobody foresaw ends as a failure all the same', async () => {
  await using house = await openTestHouse({ f: 'x' });
  const connect = (): Promise<never> => Promise.reject(new TypeError('oh'));
  const { last } = await download(house, 'f', { dependencies: { connect } });
  assert.deepEqual(last, { event: 'failed', error: 'oh', code: 'failed' });
});

test('a bounded number of downloads runs at once, the others wait their turn', async () => {
  const files = Object.fromEntries(
    Array.from({ length: downloadsAtOnceMax + 4 }, (_, index) => [String(index), 'x']),
  );
  await using house = await openTestHouse(files);
  const active = new ActiveDownloads();
  let running = 0;
  let most = 0;
  const gate = Promise.withResolvers<void>();
  const connect = async (): Promise<ReturnType<typeof house.client>> => {
    running += 1;
    most = Math.max(most, running);
    if (running === downloadsAtOnceMax) gate.resolve();
    await gate.promise;
    const client = house.client();
    const dispose = client[Symbol.dispose].bind(client);
    // Before its place is given to the next one.
    client[Symbol.dispose] = () => {
      running -= 1;
      dispose();
    };
    return client;
  };
  const runs = Object.keys(files).map(async (path) => {
    const { last } = await download(house, path, { dependencies: { active, connect } });
    return last.event;
  });
  assert.deepEqual(new Set(await Promise.all(runs)), new Set(['done']));
  assert.equal(most, downloadsAtOnceMax);
});

test('who waits for a place can leave, and a queue that is full says so', async () => {
  const active = new ActiveDownloads();
  const { signal } = new AbortController();
  const places: Disposable[] = [];
  for (let count = 0; count < downloadsAtOnceMax; count += 1) places.push(await active.enter(signal));
  const leaving = new AbortController();
  const left = active.enter(leaving.signal);
  const waiting = Array.from({ length: downloadsWaitingMax - 1 }, () => active.enter(signal));
  await assert.rejects(active.enter(signal), /8 are running and 256 wait already/);
  leaving.abort(new Error('enough'));
  await assert.rejects(left, /enough/);
  for (const place of places) place[Symbol.dispose]();
  for (const each of waiting) (await each)[Symbol.dispose]();
  using _again = await active.enter(signal);
});
