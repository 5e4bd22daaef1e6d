import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { jsonLines, listening, Program, ready } from '../../scripts/support/program.ts';

const root = new URL('../../', import.meta.url).pathname;

before(() => {
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: root });
});

test('the built package runs from node_modules, where Node strips no types', {
  timeout: 120_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'flashback-package-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'node_modules'));
  // As npm lays it out: the package as files, what it needs beside it.
  const installed = join(folder, 'node_modules/flashback');
  cpSync(join(root, 'dist'), installed, { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(installed, 'node_modules'));
  const launcher = join(installed, 'bin/flashback.js');
  const house = join(folder, 'house');
  mkdirSync(house);
  writeFileSync(join(house, 'hello.txt'), 'hello');

  await using relay = new Program(['relay', '--port', '0', '--data', join(folder, 'relay'), '--json'], {
    home: join(folder, 'operator'),
    launcher,
  });
  const { url } = await listening(relay);
  const anna = { home: join(folder, 'anna'), launcher };
  await jsonLines(['init', '--email', 'anna@example.com', '--relay', url, '--house', house], anna);
  await using daemon = new Program(['up', '--ui-port', '0', '--json'], anna);
  await ready(daemon);
  const target = join(folder, 'got.txt');
  const events = await jsonLines(['get', 'anna@example.com:/hello.txt', '-o', target], anna);
  assert.equal(events.at(-1)?.event, 'done');
  assert.equal(readFileSync(target, 'utf8'), 'hello');
});

test('the built package imports no TypeScript', () => {
  const left = globSync('dist/**/*.js', { cwd: root }).filter((file) =>
    /(?:\bfrom |\bimport\()['"]\.[^'"]*\.ts['"]/.test(readFileSync(join(root, file), 'utf8')),
  );
  assert.deepEqual(left, []);
});
