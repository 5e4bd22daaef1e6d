import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DownloadEventSchema } from '../../wire/local-api.ts';
import { SeededRandom, testSeed } from '../house/testing/seeded-random.ts';
import { partialPaths } from './journal.ts';
import type { ChildTask } from './testing/download-child.ts';
import { download, randomBytes, sha256 } from './testing/run.ts';
import {
  cutAfter,
  isRequestFor,
  openTestHouse,
  rangeStart,
  spoilBody,
  stallAfter,
  type TestHouse,
} from './testing/test-house.ts';

const mebibyte = 1024 * 1024;

function startChild(house: TestHouse, path: string, target: string): ChildProcess {
  const { host, port } = house.server;
  const task: ChildTask = { host, port, fingerprint: house.owner.claims.fingerprint, path, target };
  const child = fileURLToPath(new URL('testing/download-child.ts', import.meta.url));
  return spawn(process.execPath, [child, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'inherit'] });
}

test('a process that is killed in the middle loses nothing that the next one can prove', async () => {
  const content = randomBytes(20 * mebibyte + 5);
  await using house = await openTestHouse({ f: content });
  const target = join(house.downloads, 'f');
  for (const killAt of [6 * mebibyte, 13 * mebibyte]) {
    house.interfere = (request, response) => {
      if (isRequestFor('download', request))
        stallAfter(response, killAt + 2 * mebibyte - rangeStart(request));
      return false;
    };
    const child = startChild(house, 'f', target);
    assert.ok(child.stdout !== null);
    for await (const line of createInterface({ input: child.stdout })) {
      const event = DownloadEventSchema.parse(JSON.parse(line));
      assert.notEqual(event.event, 'failed', line);
      if (event.event === 'progress' && event.bytes >= killAt) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    assert.equal(child.signalCode, 'SIGKILL');
    await assert.rejects(stat(target), { code: 'ENOENT' });
  }
  house.interfere = undefined;
  const { events, last } = await download(house, 'f');
  assert.deepEqual(
    events.map(({ event }) => event),
    ['started', 'resumed', 'done'],
  );
  // The second process was killed in its fourth block, with up to 8 MiB still in memory.
  const resumed = events[1];
  assert.ok(resumed?.event === 'resumed');
  assert.ok(resumed.bytes >= 4 * mebibyte, `only ${resumed.bytes} bytes were kept`);
  assert.ok(last.event === 'done' && last.sha256 === sha256(content));
  assert.ok((await readFile(target)).equals(content));
  assert.deepEqual(await readdir(house.downloads), ['f']);
});

/** What can happen to a download, with where it happens. */
type Mishap = 'cut' | 'abort' | 'flip on the wire' | 'flip on the disk' | 'cut on the disk' | 'change';
const mishaps: readonly Mishap[] = [
  'cut',
  'cut',
  'abort',
  'flip on the wire',
  'flip on the disk',
  'cut on the disk',
  'change',
];

test('whatever happens at whatever byte, what gets the name is what the house has', async (context) => {
  const random = new SeededRandom(testSeed());
  context.diagnostic(`repeat with FLASHBACK_TEST_SEED=${random.seed}`);
  await using house = await openTestHouse();
  for (let run = 0; run < 25; run += 1) {
    const path = `f${run}`;
    let content = randomBytes(random.below(18 * mebibyte));
    await writeFile(join(house.root, path), content);
    const target = join(house.downloads, path);
    const happened: string[] = [];
    let isDone = false;
    for (let attempt = 0; !isDone && attempt < 12; attempt += 1) {
      // Few at first, none at last, so that each run ends.
      const mishap = attempt < 4 ? random.pick(mishaps) : undefined;
      const position = random.below(content.length + 1);
      happened.push(`${mishap ?? 'nothing'}@${position}`);
      const abort = new AbortController();
      let isSpoilt = false;
      house.interfere = (request, response) => {
        if (!isRequestFor('download', request) || isSpoilt) return false;
        const offset = position - rangeStart(request);
        if (offset < 0) return false;
        isSpoilt = true;
        if (mishap === 'cut') cutAfter(response, offset);
        if (mishap === 'abort') {
          stallAfter(response, offset);
          setImmediate(() => abort.abort());
        }
        if (mishap === 'flip on the wire')
          spoilBody(response, (chunk, start) => {
            const at = offset - start;
            if (at >= 0 && at < chunk.length) chunk[at] = (chunk[at] ?? 0) ^ (1 + random.below(255));
          });
        return false;
      };
      const { last } = await download(house, path, { signal: abort.signal });
      isDone = last.event === 'done';
      const label = `seed ${random.seed}, run ${run}: ${happened.join(', ')}: ${JSON.stringify(last)}`;
      if (last.event === 'done') assert.equal(last.sha256, sha256(content), label);
      else assert.ok(last.event === 'failed' && last.code === 'cancelled', label);
      const { partial } = partialPaths(target);
      const left = await readFile(partial).catch(() => undefined);
      if (left !== undefined && left.length > 0 && mishap === 'flip on the disk') {
        left[position % left.length] = (left[position % left.length] ?? 0) ^ 1;
        await writeFile(partial, left);
      }
      if (left !== undefined && mishap === 'cut on the disk') await truncate(partial, position);
      if (!isDone && mishap === 'change') {
        content = randomBytes(content.length);
        await writeFile(join(house.root, path), content);
      }
    }
    assert.ok(isDone, `seed ${random.seed}, run ${run}: ${happened.join(', ')}`);
    assert.ok(
      (await readFile(target)).equals(content),
      `seed ${random.seed}, run ${run}: ${happened.join(', ')}`,
    );
    assert.deepEqual(
      await readdir(house.downloads),
      [...Array(run + 1).keys()].map((each) => `f${each}`).sort(),
    );
  }
});
