import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  encodeHousePath,
  houseNameBytesMax,
  housePathSegmentsMax,
  nameRefusal,
  pathRefusal,
} from './house-path.ts';

const refusedNames = [
  ['empty and dot segments', ['', '.', '..', '...', '. ', '.. ']],
  ['separators', ['a/b', 'a\\b', '..\\']],
  ['control characters', ['a\0', 'a\nb', '\u007f', '\u0085']],
  ['drives and streams', ['C:', 'file.txt:stream', 'file::$DATA']],
  ['trailing dots and spaces', ['a.', 'a ']],
  ['devices', ['con', 'CON', 'Con.txt', 'nul.tar.gz', 'aux .c', 'COM1', 'com¹.log', 'LPT9.x', 'conout$']],
  ['what UTF-8 cannot say', ['\ud800']],
  ['too long names', ['x'.repeat(houseNameBytesMax + 1), 'ä'.repeat(128)]],
] as const;

const acceptedNames = [
  ['dots and percent signs', ['.env', '..a', 'a..b', '%2e%2e']],
  ['near devices', ['console', 'com', 'com10', 'comma.txt', 'nulls']],
  ['spaces and marks', [' leading', 'a b', '~', '-rf', '*']],
  ['any script', ['żółć', '日本語', '😀.jpg', 'cafe\u0301', '\u202egpj.txt', '..\uff0fb']],
  ['the longest', ['x'.repeat(houseNameBytesMax), 'ä'.repeat(127)]],
] as const;

test('names that some platform would read as another place, a device or nothing are refused', () => {
  for (const [kind, names] of refusedNames) {
    for (const name of names)
      assert.notEqual(nameRefusal(name), undefined, `${kind}: ${JSON.stringify(name)}`);
  }
});

test('names that are only unusual are accepted', () => {
  for (const [kind, names] of acceptedNames) {
    for (const name of names) assert.equal(nameRefusal(name), undefined, `${kind}: ${JSON.stringify(name)}`);
  }
});

test('a path is refused for any of its segments, for its depth and for its length', () => {
  assert.equal(pathRefusal(''), undefined);
  assert.equal(pathRefusal('photos/2024/summer.jpg'), undefined);
  for (const path of ['/', '/a', 'a/', 'a//b', 'a/../b', 'a/./b', 'a/con/b']) {
    assert.notEqual(pathRefusal(path), undefined, path);
  }
  assert.equal(pathRefusal(Array(housePathSegmentsMax).fill('a').join('/')), undefined);
  assert.notEqual(
    pathRefusal(
      Array(housePathSegmentsMax + 1)
        .fill('a')
        .join('/'),
    ),
    undefined,
  );
  assert.notEqual(pathRefusal(Array(20).fill('x'.repeat(250)).join('/')), undefined);
});

test('an encoded path keeps its separators and hides everything else', () => {
  assert.equal(encodeHousePath('a b/ä?#%/100%'), 'a%20b/%C3%A4%3F%23%25/100%25');
});
