import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, pairedRatio } from './statistics.ts';

test('the median of an odd number of values is the middle one, whatever their order', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([10, 9, 100, 8, 1]), 9);
});

test('the median of an even number of values lies between the middle two', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test('the median of nothing is an error', () => {
  assert.throws(() => median([]), /no values/);
});

test('a ratio is taken round by round, so a slow round of the machine does not move it', () => {
  assert.deepEqual(pairedRatio([20, 200, 20], [10, 100, 10]), { median: 2, smallest: 2, largest: 2 });
  assert.deepEqual(pairedRatio([1, 2, 3], [1, 1, 1]), { median: 2, smallest: 1, largest: 3 });
});

test('rounds that cannot be paired are an error', () => {
  assert.throws(() => pairedRatio([1, 2], [1]), /Cannot pair 2 rounds with 1/);
});
