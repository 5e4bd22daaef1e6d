import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { createFileAtomically, makePrivateFolder, writeFileAtomically } from './atomic-file.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

const isWindows = process.platform === 'win32';
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

test('writeFileAtomically writes text and bytes, readable by the owner only', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'a');
  await writeFileAtomically(file, 'text ü');
  assert.equal(await readFile(file, 'utf8'), 'text ü');
  await writeFileAtomically(file, Uint8Array.of(0, 255));
  assert.deepEqual(await readFile(file), Buffer.from([0, 255]));
  if (!isWindows) assert.equal(await modeOf(file), 0o600);
  assert.deepEqual(await readdir(folder.path), ['a']);
});

test('writeFileAtomically makes a file that others could read private', { skip: isWindows }, async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'key');
  await writeFile(file, 'old', { mode: 0o644 });
  await writeFileAtomically(file, 'new');
  assert.equal(await modeOf(file), 0o600);
});

test('a reader sees one content or the other, never a mixture or nothing', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'a');
  const contents = ['a', 'b'].map((letter) => letter.repeat(200_000));
  await writeFileAtomically(file, contents[0] ?? '');
  const progress = { isDone: false };
  const writing = (async () => {
    for (let round = 0; round < 30; round += 1) await writeFileAtomically(file, contents[round % 2] ?? '');
    progress.isDone = true;
  })();
  let reads = 0;
  while (!progress.isDone) {
    assert.ok(contents.includes(await readFile(file, 'utf8')));
    reads += 1;
  }
  await writing;
  assert.ok(reads > 0);
});

test('many writers of one file leave one whole content and no temporary files', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'a');
  const contents = Array.from({ length: 20 }, (_, index) => `${index}`.repeat(10_000));
  await Promise.all(contents.map((content) => writeFileAtomically(file, content)));
  assert.ok(contents.includes(await readFile(file, 'utf8')));
  assert.deepEqual(await readdir(folder.path), ['a']);
});

test('a write that fails leaves the old content and nothing beside it', async () => {
  await using folder = await temporaryFolder();
  // A folder that is not empty cannot be replaced by a file.
  const target = join(folder.path, 'folder');
  await mkdir(join(target, 'inner'), { recursive: true });
  await assert.rejects(writeFileAtomically(target, 'x'));
  await assert.rejects(writeFileAtomically(join(folder.path, 'missing', 'a'), 'x'), { code: 'ENOENT' });
  assert.deepEqual(await readdir(folder.path), ['folder']);
});

test('writeFileAtomically through a symbolic link replaces the link, not what it points to', {
  skip: isWindows,
}, async () => {
  await using folder = await temporaryFolder();
  const [elsewhere, link] = [join(folder.path, 'elsewhere'), join(folder.path, 'link')];
  await writeFile(elsewhere, 'untouched');
  await symlink(elsewhere, link);
  await writeFileAtomically(link, 'secret');
  assert.equal(await readFile(elsewhere, 'utf8'), 'untouched');
  assert.equal(await readFile(link, 'utf8'), 'secret');
});

test('createFileAtomically refuses a name that is taken, and of many creators one wins', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'key');
  const contents = Array.from({ length: 10 }, (_, index) => `creator ${index}`);
  const results = await Promise.allSettled(contents.map((content) => createFileAtomically(file, content)));
  const winners = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [contents[index]] : []));
  assert.deepEqual(winners, [await readFile(file, 'utf8')]);
  await assert.rejects(createFileAtomically(file, 'late'), { code: 'EEXIST' });
  assert.deepEqual(await readdir(folder.path), ['key']);
  if (!isWindows) assert.equal(await modeOf(file), 0o600);
});

test('makePrivateFolder makes every folder of the path for the owner only', { skip: isWindows }, async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'a', 'b');
  await makePrivateFolder(path);
  for (const made of [path, dirname(path)]) assert.equal(await modeOf(made), 0o700);
});

test('makePrivateFolder leaves the mode of a folder that is there to its owner', {
  skip: isWindows,
}, async () => {
  await using folder = await temporaryFolder();
  await chmod(folder.path, 0o750);
  await makePrivateFolder(folder.path);
  assert.equal(await modeOf(folder.path), 0o750);
});
