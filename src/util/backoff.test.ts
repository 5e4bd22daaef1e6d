import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff.ts';

function delays(backoff: Backoff, count: number): number[] {
  return Array.from({ length: count }, () => backoff.nextMs());
}

test('the ceiling doubles up to the maximum, and reset starts anew', () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 1000, random: () => 1 - Number.EPSILON });
  assert.deepEqual(delays(backoff, 6), [100, 200, 400, 800, 1000, 1000]);
  backoff.reset();
  assert.equal(backoff.nextMs(), 100);
});

test('no delay is shorter than half its ceiling', () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 1000, random: () => 0 });
  assert.deepEqual(delays(backoff, 5), [50, 100, 200, 400, 500]);
});

test('delays stay at the maximum after thousands of tries', () => {
  const backoff = new Backoff({ firstMs: 1, maxMs: 60_000 });
  for (const delay of delays(backoff, 5000).slice(20)) assert.ok(delay >= 30_000 && delay <= 60_000);
});

test('two clients that lost the same relay draw different delays', () => {
  const options = { firstMs: 1000, maxMs: 60_000 };
  assert.notDeepEqual(delays(new Backoff(options), 10), delays(new Backoff(options), 10));
});
