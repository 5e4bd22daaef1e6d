import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whileAlive } from './while-alive.ts';

/** Never resolves; rejects with the signal's reason. */
function forever(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

test('work is given up with the error of the check that failed', async () => {
  let checks = 0;
  const check = async (): Promise<void> => {
    checks += 1;
    if (checks === 3) throw new Error('dead');
  };
  await assert.rejects(whileAlive(check, 1, undefined, forever), /dead/);
  assert.equal(checks, 3);
});

test('work that ends gives its result, and no check follows', async () => {
  let checks = 0;
  const { promise: checked, resolve } = Promise.withResolvers<void>();
  const check = async (): Promise<void> => {
    checks += 1;
    resolve();
  };
  const result = await whileAlive(check, 1, undefined, async () => {
    await checked;
    return 'done';
  });
  assert.equal(result, 'done');
  assert.ok(checks >= 1);
});

test('work is given up with the reason of the parent', async () => {
  const parent = new AbortController();
  const run = whileAlive(async () => {}, 1000, parent.signal, forever);
  parent.abort(new Error('enough'));
  await assert.rejects(run, /enough/);
});
