import assert from 'node:assert/strict';
import { once } from 'node:events';
import { realpath } from 'node:fs/promises';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { holdByHandle, type PathHolder } from '../../util/platform/handle-path.ts';
import { canary, type HouseFixture, openHouse, plant } from './testing/house-fixture.ts';
import { SeededRandom, testSeed } from './testing/seeded-random.ts';
import type { SwapOrder } from './testing/swap-worker.ts';

const swapCount = 30_000;
const requestCount = 5_000;
const connectionCount = 6;
const text = 'inside the house';

const targets = [
  '/download/leaf.txt',
  '/content/leaf.txt',
  '/digest/leaf.txt',
  '/api/files',
  '/api/files/folder/below',
  '/download/folder/below/deep.txt',
  '/archive/folder?format=tar',
  '/digest/folder/file.txt?blocks=none',
  ...['folder', 'way'].flatMap((folder) => [
    `/api/files/${folder}`,
    `/download/${folder}/file.txt`,
    `/content/${folder}/file.txt`,
  ]),
];

test(`nothing outside is served during ${swapCount} swaps of links and folders`, {
  timeout: 120_000,
}, async () => {
  const random = new SeededRandom(testSeed());
  await using fixture = await openSwappedHouse();
  await using swapper = startSwapping(fixture);
  const served = await race(fixture, random, () => swapper.count() < swapCount);
  // Both sides of the swaps were hit: the house served its own, and refused.
  assert.ok((served.get(200) ?? 0) > requestCount / 100, JSON.stringify([...served]));
  assert.ok((served.get(404) ?? 0) > requestCount / 100, JSON.stringify([...served]));
});

test('the same race catches a house that checks a path first and opens it after', {
  timeout: 120_000,
}, async () => {
  const checksFirst: PathHolder = async (path) => {
    const place = await realpath(path);
    const held = await holdByHandle(path);
    return { ...held, place };
  };
  await using fixture = await openSwappedHouse(checksFirst);
  await using _ = startSwapping(fixture);
  await assert.rejects(
    race(fixture, new SeededRandom(testSeed()), () => true),
    /the canary is in the answer/,
  );
});

function openSwappedHouse(hold?: PathHolder): Promise<HouseFixture> {
  const tree = { 'file.txt': text, 'below/deep.txt': text };
  return openHouse(hold === undefined ? {} : { hold }).then(async (fixture) => {
    await plant(`${fixture.root}/home`, tree);
    await plant(`${fixture.root}/folder`, tree);
    await plant(fixture.outside, {
      'file.txt': canary,
      'below/deep.txt': canary,
      [`below/${canary}.txt`]: canary,
    });
    return fixture;
  });
}

interface Swapper extends AsyncDisposable {
  count(): number;
}

function startSwapping({ root, outside }: HouseFixture): Swapper {
  const counters = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  const shared = new Int32Array(counters);
  const order: SwapOrder = { root, outside, counters };
  const worker = new Worker(new URL('./testing/swap-worker.ts', import.meta.url), { workerData: order });
  const ended = once(worker, 'exit');
  return {
    count: () => Atomics.load(shared, 0),
    async [Symbol.asyncDispose]() {
      Atomics.store(shared, 1, 1);
      await ended;
    },
  };
}

/** Asks at least `requestCount` times and for as long as `isOn` says; answers how often each status came. */
async function race(
  fixture: HouseFixture,
  random: SeededRandom,
  isOn: () => boolean,
): Promise<Map<number, number>> {
  const countByStatus = new Map<number, number>();
  let asked = 0;
  const failed = new AbortController();
  const ask = async (): Promise<void> => {
    let connection = await fixture.connect();
    try {
      while (!failed.signal.aborted && (asked < requestCount || isOn())) {
        asked += 1;
        if (connection.isEnded) connection = await fixture.connect();
        const target = random.pick(targets);
        const answer = await connection.ask(target);
        const about = `${target}, request ${asked}, FLASHBACK_TEST_SEED=${random.seed}`;
        assert.ok(!answer.body.includes(canary), `the canary is in the answer: ${about}`);
        // An archive or a listing may be cut, or be refused for want of a place; never anything else.
        assert.ok([0, 200, 400, 404, 503].includes(answer.status), `${answer.status}: ${about}`);
        countByStatus.set(answer.status, (countByStatus.get(answer.status) ?? 0) + 1);
      }
    } catch (error) {
      failed.abort();
      throw error;
    } finally {
      await connection[Symbol.asyncDispose]();
    }
  };
  await Promise.all(Array.from({ length: connectionCount }, ask));
  return countByStatus;
}
