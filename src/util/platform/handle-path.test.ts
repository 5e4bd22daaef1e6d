import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, realpath, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  choosePathHolder,
  holdByHandle,
  holdByRealPath,
  type PathHolder,
  segmentsWithin,
} from './handle-path.ts';

const isLinux = process.platform === 'linux';
const holders: readonly (readonly [string, PathHolder, boolean])[] = [
  ['by handle', holdByHandle, isLinux],
  ['by real path', holdByRealPath, true],
];

for (const [name, hold, runs] of holders) {
  const options = { skip: runs ? false : 'this system has no such handles' };

  test(`${name}: a link is followed, and the place is that of its target`, options, async () => {
    await using folder = await openFolder();
    const { path } = folder;
    await mkdir(join(path, 'real'));
    await writeFile(join(path, 'real/ä.txt'), 'content');
    await symlink('real', join(path, 'way'));
    await using root = await hold(path);
    await using held = await hold(`${root.handlePath}/way/ä.txt`);
    assert.deepEqual(segmentsWithin(root, held), ['real', 'ä.txt']);
    assert.deepEqual(segmentsWithin(root, root), []);
    assert.equal(held.stats.size, 7n);
    const file = await held.openFile();
    assert.equal(await file.readFile('utf8'), 'content');
    await file.close();
    await using inner = await hold(`${root.handlePath}/way`);
    assert.deepEqual(await readdir(inner.handlePath), ['ä.txt']);
  });

  test(`${name}: what lies outside, beside a like name or above is not within`, options, async () => {
    await using folder = await openFolder();
    const { path } = folder;
    for (const made of ['root', 'root-2', 'other']) await mkdir(join(path, made));
    await symlink('../other', join(path, 'root/link'));
    await using root = await hold(join(path, 'root'));
    for (const outside of ['root-2', 'other', 'root/link', '.']) {
      await using held = await hold(join(path, outside));
      assert.equal(segmentsWithin(root, held), undefined, outside);
    }
    await using top = await hold('/');
    assert.deepEqual(segmentsWithin(top, root)?.at(-1), 'root');
  });

  test(`${name}: what is missing, or a loop of links, is the error of the system`, options, async () => {
    await using folder = await openFolder();
    await symlink('loop', join(folder.path, 'loop'));
    await writeFile(join(folder.path, 'file'), '');
    await assert.rejects(hold(join(folder.path, 'missing')), { code: 'ENOENT' });
    await assert.rejects(hold(join(folder.path, 'loop')), { code: 'ELOOP' });
    await assert.rejects(hold(join(folder.path, 'file/below')), { code: 'ENOTDIR' });
  });

  test(
    `${name}: a FIFO without a writer and a device are described at once and never waited for`,
    options,
    async () => {
      await using folder = await openFolder();
      const fifo = join(folder.path, 'fifo');
      execFileSync('mkfifo', [fifo]);
      await using held = await hold(fifo);
      assert.equal(held.stats.isFIFO(), true);
      await using device = await hold('/dev/zero');
      assert.equal(device.stats.isCharacterDevice(), true);
    },
  );
}

test('by handle: the handle stays with its object, wherever that is moved', { skip: !isLinux }, async () => {
  await using folder = await openFolder();
  const { path } = folder;
  await mkdir(join(path, 'root/inner'), { recursive: true });
  await writeFile(join(path, 'root/inner/file'), 'first');
  await using root = await holdByHandle(join(path, 'root'));
  await using inner = await holdByHandle(`${root.handlePath}/inner`);
  await rename(join(path, 'root/inner'), join(path, 'root/moved'));
  await symlink('/etc', join(path, 'root/inner'));
  await using file = await holdByHandle(`${inner.handlePath}/file`);
  assert.deepEqual(segmentsWithin(root, file), ['moved', 'file']);
});

test('by handle: a removed file is gone, and one that is only called so is not', {
  skip: !isLinux,
}, async () => {
  await using folder = await openFolder();
  const path = join(folder.path, 'file');
  await writeFile(path, 'x');
  await writeFile(`${path} (deleted)`, 'honest');
  await using honest = await holdByHandle(`${path} (deleted)`);
  assert.ok(honest.place.endsWith('file (deleted)'));
  await using held = await holdByHandle(path);
  await unlink(path);
  await unlink(`${path} (deleted)`);
  await assert.rejects(holdByHandle(held.handlePath), { code: 'ENOENT' });
});

test('by handle: names that are not UTF-8 are told apart, and are within nothing that can be named', {
  skip: !isLinux,
}, async () => {
  await using folder = await openFolder();
  const bytes = (last: number): Buffer =>
    Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.from([0x66, last])]);
  for (const last of [0xfe, 0xff]) {
    await mkdir(bytes(last));
    await symlink(bytes(last), join(folder.path, `link-${last}`));
  }
  await using top = await holdByHandle(folder.path);
  await using one = await holdByHandle(join(folder.path, 'link-254'));
  await using other = await holdByHandle(join(folder.path, 'link-255'));
  assert.equal(segmentsWithin(top, one), undefined);
  // As text both would be the same two characters.
  assert.equal(segmentsWithin(one, other), undefined);
  assert.deepEqual(segmentsWithin(one, one), []);
});

test('by real path: what was swapped for a link after it was held is not confirmed', async () => {
  await using folder = await openFolder();
  const { path } = folder;
  await mkdir(join(path, 'inner'));
  await using held = await holdByRealPath(join(path, 'inner'));
  await held.confirm();
  await rename(join(path, 'inner'), join(path, 'aside'));
  await symlink('/', join(path, 'inner'));
  await assert.rejects(held.confirm(), { code: 'ENOENT' });
});

test('the handle decides wherever it can', async () => {
  const hold = await choosePathHolder();
  assert.equal(hold, isLinux ? holdByHandle : holdByRealPath);
});

async function openFolder() {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'flashback-handle-')));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
