import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ignorePatternsMax, isIgnored, parseIgnorePatterns } from './ignore-patterns.ts';

/** Pattern file, path (a folder when it ends in `/`), whether it is ignored by its own name. */
const cases: readonly (readonly [string, string, boolean])[] = [
  ['a.txt', 'a.txt', true],
  ['a.txt', 'deep/er/a.txt', true],
  ['a.txt', 'a.txt2', false],
  ['A.TXT', 'a.txt', true],
  ['caf\u00e9', 'cafe\u0301', true],
  ['/a.txt', 'a.txt', true],
  ['/a.txt', 'deep/a.txt', false],
  ['deep/a.txt', 'deep/a.txt', true],
  ['deep/a.txt', 'more/deep/a.txt', false],
  ['build/', 'build/', true],
  ['build/', 'build', false],
  ['build/', 'src/build/', true],
  ['*.log', 'a.log', true],
  ['*.log', 'deep/a.log', true],
  ['*.log', 'a.log.txt', false],
  ['a*b*c', 'axxbyyc', true],
  ['a*b*c', 'axxbyy', false],
  ['src/*.js', 'src/a.js', true],
  ['src/*.js', 'src/deep/a.js', false],
  ['**/a', 'a', true],
  ['**/a', 'x/y/a', true],
  ['x/**/a', 'x/a', true],
  ['x/**/a', 'x/1/2/a', true],
  ['x/**/a', 'y/x/a', false],
  ['x/**', 'x/1/2', true],
  ['x/**', 'x/', false],
  ['**', 'anything/at/all', true],
  ['?.txt', 'a.txt', true],
  ['?.txt', '😀.txt', true],
  ['?.txt', 'ab.txt', false],
  ['[a-c].txt', 'b.txt', true],
  ['[a-c].txt', 'd.txt', false],
  ['[!a-c].txt', 'd.txt', true],
  ['[^a-c].txt', 'a.txt', false],
  ['[]x].txt', '].txt', true],
  ['[a', '[a', true],
  ['[a-].txt', '-.txt', true],
  ['\\#a', '#a', true],
  ['\\!a', '!a', true],
  ['\\*', '*', true],
  ['\\*', 'a', false],
  ['# comment', '# comment', false],
  ['a.txt   ', 'a.txt', true],
  ['a\\ ', 'a ', true],
  ['*.txt\n!keep.txt', 'keep.txt', false],
  ['!keep.txt\n*.txt', 'keep.txt', true],
  ['\ufeffa.txt\r\nb.txt\r\n', 'a.txt', true],
  ['\ufeffa.txt\r\nb.txt\r\n', 'b.txt', true],
  ['\n\n/\n!\n', 'a', false],
];

for (const [patterns, path, expected] of cases) {
  test(`${JSON.stringify(patterns)} ${expected ? 'ignores' : 'leaves'} ${path}`, () => {
    const isFolder = path.endsWith('/');
    const segments = path.split('/').filter((segment) => segment !== '');
    assert.equal(isIgnored(parseIgnorePatterns(patterns), segments, isFolder), expected);
  });
}

test('a pattern full of stars takes no longer than its length allows', () => {
  const patterns = parseIgnorePatterns(`${'*a'.repeat(120)}b\n${'**/a/'.repeat(60)}b`);
  const started = process.cpuUsage().user;
  assert.equal(isIgnored(patterns, ['a'.repeat(255)], false), false);
  assert.equal(isIgnored(patterns, Array(64).fill('a'), false), false);
  // Backtracking into every star would take longer than the world has lasted; a minute is no tight bound.
  assert.ok(process.cpuUsage().user - started < 60_000_000);
});

test('a file with too many patterns is refused', () => {
  assert.throws(
    () => parseIgnorePatterns('a\n'.repeat(ignorePatternsMax + 1)),
    /it holds 1001 patterns, limit is 1000/,
  );
});
