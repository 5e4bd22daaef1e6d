import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { FolderTarget } from './folder-target.ts';
import { foldName, foldsNames, unfitName } from './local-names.ts';

test('names that a file system takes for one are told apart from the first', async () => {
  await using folder = await temporaryFolder();
  const target = await FolderTarget.open(folder.path, true);
  assert.equal(target.refusal(['A']), undefined);
  assert.match(target.refusal(['a']) ?? '', /takes its name for that of another/);
  assert.equal(target.refusal(['caf\u00e9']), undefined);
  assert.ok(target.refusal(['cafe\u0301']) !== undefined);
  assert.equal(target.refusal(['\u03a3']), undefined);
  assert.ok(target.refusal(['\u03c2']) !== undefined);
});

test('the same name in another folder is another name, also after going in and out', async () => {
  await using folder = await temporaryFolder();
  const target = await FolderTarget.open(folder.path, true);
  for (const names of [['x'], ['x', 'A'], ['x', 'y'], ['x', 'y', 'A'], ['x', 'B'], ['z'], ['z', 'A']])
    assert.equal(target.refusal(names), undefined, names.join('/'));
  assert.ok(target.refusal(['z', 'a']) !== undefined);
  assert.ok(target.refusal(['X']) !== undefined);
});

test('where all spellings are told apart none is refused', async () => {
  await using folder = await temporaryFolder();
  const target = await FolderTarget.open(folder.path, false);
  assert.equal(target.refusal(['A']) ?? target.refusal(['a']), undefined);
});

test('the probe for spellings leaves nothing behind', async () => {
  await using folder = await temporaryFolder();
  const isFolding = await foldsNames(folder.path);
  if (process.platform === 'linux') assert.equal(isFolding, false);
  assert.deepEqual(await readdir(folder.path), []);
});

test('names that only Windows cannot hold are refused there', () => {
  for (const name of ['a?', 'a*b', '<', 'x|y', '"']) {
    assert.ok(unfitName(name, 'win32') !== undefined, name);
    assert.equal(unfitName(name, 'linux'), undefined);
  }
  assert.equal(unfitName('plain name.txt', 'win32'), undefined);
});

test('folding makes spellings equal and different names not', () => {
  assert.equal(foldName('STRASSE'), foldName('straße'));
  assert.equal(foldName('\u00c5'), foldName('a\u030a'));
  assert.notEqual(foldName('a'), foldName('b'));
});
