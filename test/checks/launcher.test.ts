import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import vm from 'node:vm';

const launcher = new URL('../../bin/flashback.ts', import.meta.url);

/** Runs the launcher as an old Node would: with its version number, and without what it does not have. */
function launchUnder(version: string): { errors: string[]; exitCode: number | undefined } {
  const errors: string[] = [];
  let exitCode: number | undefined;
  const source = readFileSync(launcher, 'utf8').replace(/^#!.*/, '');
  // `import(...)` is syntax that Node 12 knows; here it must not be reached.
  vm.runInNewContext(source, {
    __filename: launcher.pathname,
    console: { error: (line: string) => errors.push(line) },
    process: { versions: { node: version }, argv: [], exit: (code: number) => (exitCode = code) },
  });
  return { errors, exitCode };
}

for (const version of ['12.22.0', '18.20.4', '20.20.2', '23.11.0', '24.6.9']) {
  test(`the launcher tells somebody with Node ${version} which one is needed and how to get it`, () => {
    const { errors, exitCode } = launchUnder(version);
    assert.equal(exitCode, 2);
    assert.match(errors.join('\n'), /needs Node 24\.7 or newer/);
    assert.match(errors.join('\n'), new RegExp(version.replaceAll('.', '\\.')));
    assert.match(errors.join('\n'), /npm ci/);
  });
}

test('the launcher is plain old JavaScript that every Node can read', () => {
  const code = readFileSync(launcher, 'utf8').replace(/'(?:[^'\\]|\\.)*'|\/\/.*$/gm, '');
  assert.doesNotMatch(code, /\b(?:const|let|async|await|class)\b|=>|`|\?\?|\?\.|:\s*(?:string|number)/);
});

test('the launcher starts the program under this Node', () => {
  const { status, stdout } = spawnSync(process.execPath, [launcher.pathname, '--version'], {
    encoding: 'utf8',
  });
  assert.equal(status, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+/m);
});
