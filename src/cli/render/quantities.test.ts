import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAge, formatBytes, formatLocalTime, formatSeconds } from './quantities.ts';

test('bytes are told in powers of 1000 and never as 1000 of a unit', () => {
  const table: readonly (readonly [number, string])[] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [99_949, '99.9 kB'],
    [99_951, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [64 * 1024 * 1024, '67.1 MB'],
    [1e11, '100 GB'],
    [5e18, '5000 PB'],
  ];
  for (const [bytes, text] of table) assert.equal(formatBytes(bytes), text);
});

test('a duration is told in its two largest units', () => {
  const table: readonly (readonly [number, string])[] = [
    [0, '0 s'],
    [-3, '0 s'],
    [59.4, '59 s'],
    [59.6, '1 min 0 s'],
    [75, '1 min 15 s'],
    [3600, '1 h 0 min'],
    [90_000, '1 d 1 h'],
  ];
  for (const [seconds, text] of table) assert.equal(formatSeconds(seconds), text);
});

test('an age is told in one unit, and a clock ahead of ours is no age', () => {
  const nowMs = Date.parse('2026-03-01T12:00:00Z');
  const table: readonly (readonly [string, string])[] = [
    ['2026-03-01T12:00:30Z', 'just now'],
    ['2026-03-01T11:59:57Z', 'just now'],
    ['2026-03-01T11:59:30Z', '30 s ago'],
    ['2026-03-01T11:01:00Z', '59 min ago'],
    ['2026-02-28T13:00:00Z', '23 h ago'],
    ['2026-02-01T12:00:00Z', '28 d ago'],
  ];
  for (const [time, text] of table) assert.equal(formatAge(time, nowMs), text);
});

test('a local time always takes sixteen cells', () => {
  assert.match(formatLocalTime('2026-03-01T02:05:09.123Z'), /^\d{4}-\d\d-\d\d \d\d:\d\d$/);
});
