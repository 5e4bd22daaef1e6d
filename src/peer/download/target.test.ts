import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { claimKeys, inspectTarget, publish, requireSpace } from './target.ts';

/** As on FAT. */
const noLinks = (): Promise<void> => Promise.reject(Object.assign(new Error('no links'), { code: 'EPERM' }));

for (const [system, linkFile] of [
  ['with links', undefined],
  ['without links', noLinks],
] as const) {
  test(`a file system ${system}: the finished file gets a free name, and never a taken one`, async () => {
    await using folder = await temporaryFolder();
    const [partial, target] = [join(folder.path, 'f.partial'), join(folder.path, 'f')];
    await writeFile(partial, 'new');
    await publish(partial, target, false, linkFile);
    assert.deepEqual(await readdir(folder.path), ['f']);
    assert.equal(await readFile(target, 'utf8'), 'new');

    await writeFile(partial, 'newer');
    await assert.rejects(publish(partial, target, false, linkFile), { code: 'exists' });
    assert.equal(await readFile(target, 'utf8'), 'new');
    assert.equal(await readFile(partial, 'utf8'), 'newer');
    await publish(partial, target, true, linkFile);
    assert.equal(await readFile(target, 'utf8'), 'newer');
    assert.deepEqual(await readdir(folder.path), ['f']);
  });

  test(`a file system ${system}: of many who finish at once for one name, one gets it`, async () => {
    await using folder = await temporaryFolder();
    const target = join(folder.path, 'f');
    const partials = Array.from({ length: 20 }, (_, index) => join(folder.path, `${index}.partial`));
    await Promise.all(partials.map((path, index) => writeFile(path, String(index))));
    const results = await Promise.allSettled(partials.map((path) => publish(path, target, false, linkFile)));
    const winners = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
    assert.equal(winners.length, 1);
    assert.equal(await readFile(target, 'utf8'), String(winners[0]));
    assert.equal((await readdir(folder.path)).length, 20);
  });
}

test('a placeholder does not stay when the name cannot be given after all', async () => {
  await using folder = await temporaryFolder();
  await assert.rejects(publish(join(folder.path, 'gone'), join(folder.path, 'f'), false, noLinks), {
    code: 'failed',
  });
  assert.deepEqual(await readdir(folder.path), []);
});

test('one file has the same keys by whatever path and spelling', async () => {
  await using folder = await temporaryFolder();
  await mkdir(join(folder.path, 'sub'));
  const keysOf = async (path: string): Promise<string[]> => claimKeys(await inspectTarget(path, false));
  const keys = await keysOf(join(folder.path, 'f'));
  assert.deepEqual(await keysOf(`${folder.path}/sub/../F`), keys);
  assert.notDeepEqual(await keysOf(join(folder.path, 'sub', 'f')), keys);
  assert.equal(new Set(keys).size, 3);
});

test('room on the disk is asked for before it is used', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'f');
  await requireSpace(path, 1);
  await assert.rejects(
    requireSpace(path, 2 ** 52),
    /needs 4503599627370496 more bytes and the disk has \d+ free/,
  );
});
