import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenBucket, TokenBuckets } from './token-bucket.ts';

test('TokenBucket lets a burst through, says how long to wait, and fills again', () => {
  const bucket = new TokenBucket(3, 2, 0);
  assert.deepEqual([bucket.take(0), bucket.take(0), bucket.take(0)], [0, 0, 0]);
  assert.equal(bucket.take(0), 500);
  assert.equal(bucket.take(499), 1);
  assert.equal(bucket.take(500), 0);
  assert.equal(bucket.take(500), 500);
});

test('TokenBucket holds no more than its burst however long nobody asks', () => {
  const bucket = new TokenBucket(2, 100, 0);
  assert.deepEqual([bucket.take(1e9), bucket.take(1e9), bucket.take(1e9)], [0, 0, 10]);
});

test('TokenBucket takes several at once, and more than the burst counts as the burst', () => {
  const bucket = new TokenBucket(10, 1, 0);
  assert.equal(bucket.take(0, 8), 0);
  assert.equal(bucket.take(0, 8), 6000);
  assert.equal(bucket.take(6000, 8), 0);
  assert.equal(bucket.take(16_000, 1000), 0);
  assert.equal(bucket.take(16_000, 1), 1000);
});

test('TokenBucket gives nothing when the clock is set back, and goes on from there', () => {
  const bucket = new TokenBucket(1, 1, 100_000);
  assert.equal(bucket.take(100_000), 0);
  assert.equal(bucket.take(50_000), 1000);
  assert.equal(bucket.take(51_000), 0);
});

test('TokenBucket has the token for whoever waited as long as they were told', () => {
  const bucket = new TokenBucket(5, 1 / 3, 0);
  let nowMs = 0;
  for (let index = 0; index < 1000; index += 1) {
    const waitMs = bucket.take(nowMs);
    if (waitMs === 0) continue;
    nowMs += waitMs;
    assert.equal(bucket.take(nowMs), 0, `at ${nowMs} ms`);
  }
});

test('TokenBuckets keeps keys apart', () => {
  const buckets = new TokenBuckets({ burst: 1, perSecond: 1, keysMax: 10 });
  assert.equal(buckets.take('a', 0), 0);
  assert.equal(buckets.take('a', 0), 1000);
  assert.equal(buckets.take('b', 0), 0);
});

test('TokenBuckets wait says what take would say, and takes nothing', () => {
  const buckets = new TokenBuckets({ burst: 1, perSecond: 1, keysMax: 10 });
  assert.equal(buckets.wait('a', 0), 0);
  assert.equal(buckets.size, 0);
  buckets.take('a', 0);
  assert.equal(buckets.wait('a', 400), 600);
  assert.equal(buckets.wait('a', 1000), 0);
  assert.equal(buckets.take('a', 1000), 0);
  assert.equal(buckets.wait('a', 1000), 1000);
});

test('TokenBuckets forgets the longest unused key when it is full, not one in use', () => {
  const buckets = new TokenBuckets({ burst: 1, perSecond: 0.001, keysMax: 3 });
  for (const key of ['busy', 'quiet', 'other']) buckets.take(key, 0);
  assert.ok(buckets.take('busy', 1) > 0);
  buckets.take('newcomer', 2);
  assert.equal(buckets.size, 3);
  assert.ok(buckets.take('busy', 3) > 0, 'the one in use stays spent');
  assert.equal(buckets.take('quiet', 3), 0, 'the longest unused started anew');
});

test('TokenBuckets never holds more than keysMax, whatever comes', () => {
  const buckets = new TokenBuckets({ burst: 1, perSecond: 1, keysMax: 100 });
  for (let index = 0; index < 10_000; index += 1) buckets.take(`key ${index}`, index);
  assert.equal(buckets.size, 100);
});

test('TokenBuckets sweep drops the full ones only', () => {
  const buckets = new TokenBuckets({ burst: 10, perSecond: 1, keysMax: 10 });
  buckets.take('early', 0);
  buckets.take('late', 900);
  buckets.sweep(1000);
  assert.equal(buckets.size, 1);
  for (let index = 0; index < 9; index += 1) assert.equal(buckets.take('late', 1000), 0);
  assert.ok(buckets.take('late', 1000) > 0);
});
