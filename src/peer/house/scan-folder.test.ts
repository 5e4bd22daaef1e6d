import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { scanFolder, scanOnce } from './scan-folder.ts';
import { SeededRandom, testSeed } from './testing/seeded-random.ts';

const signal = new AbortController().signal;
const all = { after: undefined, isWanted: () => true, signal };

test('pages of any size are the sorted names, each once, in both ways of reading names', async () => {
  const random = new SeededRandom(testSeed());
  await using folder = await openFolder();
  const names = new Set<string>();
  while (names.size < 500) names.add(`${'äb日😀Z-'.slice(random.below(3) * 2, 7)}${random.below(100_000)}`);
  for (const name of names) await writeFile(join(folder.path, name), '');
  const sorted = [...names].map((name) => Buffer.from(name).toString('latin1')).sort();
  for (const encoding of ['latin1', 'buffer'] as const) {
    for (const limit of [1, 7, 250, 499, 500, 501]) {
      const found: string[] = [];
      for (let after: string | undefined; ; after = found.at(-1)) {
        const page = await scanOnce(folder.path, encoding, { ...all, after, limit });
        assert.ok(page.names.length <= limit);
        found.push(...page.names);
        if (!page.hasMore) break;
      }
      assert.deepEqual(found, sorted, `${encoding}, limit ${limit}, FLASHBACK_TEST_SEED=${random.seed}`);
    }
  }
});

test('names that are not wanted take no place on a page', async () => {
  await using folder = await openFolder();
  for (let index = 0; index < 50; index += 1) await writeFile(join(folder.path, `${index + 10}`), '');
  const isWanted = (name: string): boolean => name.endsWith('5');
  const page = await scanFolder(folder.path, { ...all, limit: 4, isWanted });
  assert.deepEqual(page, { names: ['15', '25', '35', '45'], hasMore: true });
});

test('a scan stops when nobody waits for it, and a folder that is missing is the error of the system', async () => {
  await using folder = await openFolder();
  await writeFile(join(folder.path, 'a'), '');
  const gone = AbortSignal.abort(new Error('the visitor has gone'));
  await assert.rejects(scanFolder(folder.path, { ...all, limit: 1, signal: gone }), /has gone/);
  await assert.rejects(scanFolder(join(folder.path, 'missing'), { ...all, limit: 1 }), { code: 'ENOENT' });
});

async function openFolder() {
  const path = await mkdtemp(join(tmpdir(), 'flashback-scan-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
