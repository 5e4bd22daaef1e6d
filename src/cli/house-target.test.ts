import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError } from './command-error.ts';
import { formatHouseTarget, parseHouseTarget, targetName } from './house-target.ts';

const good: readonly (readonly [text: string, peer: string, path: string])[] = [
  ['anna@example.com', 'anna@example.com', ''],
  ['anna@example.com:', 'anna@example.com', ''],
  ['anna@example.com:/', 'anna@example.com', ''],
  ['anna@example.com:/photos/2024', 'anna@example.com', 'photos/2024'],
  ['anna@example.com:photos/2024/', 'anna@example.com', 'photos/2024'],
  ['anna@example.com://photos//2024', 'anna@example.com', 'photos/2024'],
  ['anna@example.com:/12:30 notes.txt', 'anna@example.com', '12:30 notes.txt'],
  ['anna@example.com:/holiday photos/🏖️ beach.jpg', 'anna@example.com', 'holiday photos/🏖️ beach.jpg'],
  ['Anna@Example.COM:/A', 'anna@example.com', 'A'],
  ["o'neil+x@sub.example.org:/a@b:c", "o'neil+x@sub.example.org", 'a@b:c'],
  ['anna@localhost:/a%20b', 'anna@localhost', 'a%20b'],
];

for (const [text, peer, path] of good)
  test(`"${text}" is the path "${path}" of ${peer}`, () =>
    assert.deepEqual(parseHouseTarget(text), { peer, path }));

for (const text of [
  '',
  ':/a',
  'anna',
  'photos/2024',
  '/photos',
  'C:\\photos',
  'a b@example.com:/x',
  'anna@:/x',
])
  test(`"${text}" is no place in a house, and says what one looks like`, () =>
    assert.throws(
      () => parseHouseTarget(text),
      (error) =>
        error instanceof CommandError &&
        error.code === 'usage' &&
        /<e-mail>:\/<path>/.test(error.advice ?? ''),
    ));

test('a place is written back as it is read', () => {
  const target = { peer: 'anna@example.com', path: 'a b/c:d' };
  assert.equal(formatHouseTarget(target), 'anna@example.com:/a b/c:d');
  assert.deepEqual(parseHouseTarget(formatHouseTarget(target)), target);
});

test("a place's name is its last segment, and a house has none", () => {
  assert.equal(targetName({ peer: 'a@b', path: 'x/y z' }), 'y z');
  assert.equal(targetName({ peer: 'a@b', path: 'x' }), 'x');
  assert.equal(targetName({ peer: 'a@b', path: '' }), undefined);
});
