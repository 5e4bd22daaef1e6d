import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { test } from 'node:test';
import { dataFolders, expandHome } from './data-folder.ts';

test('FLASHBACK_HOME moves everything below one folder', () => {
  const root = resolve('/somewhere/else');
  assert.deepEqual(dataFolders({ FLASHBACK_HOME: root }), {
    data: root,
    config: root,
    cache: join(root, 'cache'),
    log: join(root, 'log'),
  });
});

test('a relative FLASHBACK_HOME is made absolute once, so that a later change of folder moves nothing', () => {
  assert.equal(dataFolders({ FLASHBACK_HOME: 'here' }).data, resolve('here'));
});

test("without FLASHBACK_HOME, or with an empty one, the folders are the platform's own", () => {
  for (const environment of [{}, { FLASHBACK_HOME: '' }]) {
    const folders = dataFolders(environment);
    for (const folder of Object.values(folders)) {
      assert.ok(isAbsolute(folder), folder);
      assert.match(folder, /flashback/i);
    }
    assert.equal(new Set(Object.values(folders)).size, 4, 'no two of them are the same');
  }
});

test('on Linux the XDG folders are followed', { skip: process.platform !== 'linux' }, (context) => {
  const before = process.env['XDG_DATA_HOME'];
  context.after(() => {
    if (before === undefined) delete process.env['XDG_DATA_HOME'];
    else process.env['XDG_DATA_HOME'] = before;
  });
  process.env['XDG_DATA_HOME'] = '/xdg/data';
  assert.equal(dataFolders({}).data, '/xdg/data/flashback');
});

test('expandHome puts the home folder in place of a leading ~ that stands alone', () => {
  assert.equal(expandHome('~'), homedir());
  assert.equal(expandHome('~/Pictures'), join(homedir(), 'Pictures'));
  for (const path of ['~other/x', '/a/~/b', 'a~', '']) assert.equal(expandHome(path), path);
});
