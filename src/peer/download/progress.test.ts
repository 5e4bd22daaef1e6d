import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpeedEstimator } from './progress.ts';

test('speed is not told before there is half a second to go by', () => {
  const speed = new SpeedEstimator();
  assert.deepEqual(speed.speed(100), { bytesPerSecond: 0 });
  speed.add(0, 0);
  speed.add(400, 1000);
  assert.deepEqual(speed.speed(10_000), { bytesPerSecond: 0 });
  speed.add(500, 1000);
  assert.deepEqual(speed.speed(10_000), { bytesPerSecond: 2000, secondsLeft: 5 });
});

test('speed is that of the last five seconds', () => {
  const speed = new SpeedEstimator();
  for (let second = 0; second <= 10; second += 1) speed.add(second * 1000, second * 100);
  for (let second = 11; second <= 15; second += 1) speed.add(second * 1000, 1000 + (second - 10) * 1000);
  assert.deepEqual(speed.speed(16_000), { bytesPerSecond: 1000, secondsLeft: 10 });
});

test('bytes that were there at the first sample are no speed', () => {
  const speed = new SpeedEstimator();
  speed.add(0, 1_000_000);
  speed.add(1000, 1_000_100);
  assert.equal(speed.speed(0).bytesPerSecond, 100);
});

test('a standstill has a speed of 0 and no time left', () => {
  const speed = new SpeedEstimator();
  for (let atMs = 0; atMs <= 12_000; atMs += 200) speed.add(atMs, 500);
  assert.deepEqual(speed.speed(1000), { bytesPerSecond: 0 });
});

test('a start from the beginning and a clock that is set back forget what was', () => {
  for (const [atMs, bytes] of [
    [2000, 10],
    [-5000, 2_000_000],
  ] as const) {
    const speed = new SpeedEstimator();
    speed.add(0, 0);
    speed.add(1000, 1_000_000);
    speed.add(atMs, bytes);
    assert.equal(speed.speed(0).bytesPerSecond, 0);
    speed.add(atMs + 1000, bytes + 50);
    assert.equal(speed.speed(0).bytesPerSecond, 50);
  }
});

test('without a total no time left is told, and at the end it is 0', () => {
  const speed = new SpeedEstimator();
  speed.add(0, 0);
  speed.add(1000, 100);
  assert.deepEqual(speed.speed(0), { bytesPerSecond: 100 });
  assert.deepEqual(speed.speed(100), { bytesPerSecond: 100, secondsLeft: 0 });
});

test('samples in quick succession cost no window', () => {
  const speed = new SpeedEstimator();
  for (let atMs = 0; atMs < 5000; atMs += 1) speed.add(atMs, atMs);
  assert.ok(Math.abs(speed.speed(0).bytesPerSecond - 1000) <= 1);
});
