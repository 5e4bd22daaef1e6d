import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const root = new URL('../../', import.meta.url).pathname;

test('the built package runs from node_modules, where Node strips no types', () => {
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: root });
  const folder = mkdtempSync(join(tmpdir(), 'flashback-package-'));
  try {
    mkdirSync(join(folder, 'node_modules'));
    // As npm lays it out: the package as files, what it needs beside it.
    const installed = join(folder, 'node_modules/flashback');
    cpSync(join(root, 'dist'), installed, { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(installed, 'node_modules'));
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(installed, 'bin/flashback.js'), 'paths', '--json'],
      { encoding: 'utf8', env: { ...process.env, FLASHBACK_HOME: folder } },
    );
    assert.equal(status, 0, stderr);
    assert.match(stdout, new RegExp(folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
