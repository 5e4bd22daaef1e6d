import assert from 'node:assert/strict';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathExists } from './path-exists.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

test('pathExists tells what is there, what is not, and what cannot be told', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'file');
  await writeFile(file, '');
  await symlink('nowhere', join(folder.path, 'broken'));
  assert.equal(await pathExists(file), true);
  assert.equal(await pathExists(folder.path), true);
  assert.equal(await pathExists(join(folder.path, 'other')), false);
  assert.equal(await pathExists(join(folder.path, 'broken')), false);
  await assert.rejects(pathExists(join(file, 'below a file')), { code: 'ENOTDIR' });
});
