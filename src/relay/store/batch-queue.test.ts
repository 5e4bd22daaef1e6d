import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BatchQueue, type Outcome } from './batch-queue.ts';
import { StoreError } from './store-error.ts';
import { withCode } from './testing/store-fixture.ts';

type Reply = readonly Outcome[] | undefined;

/** A queue whose batches are answered by the test. */
function heldQueue(waitingBytesMax = 1000, gatherMs = 0) {
  const batches: { operations: readonly number[]; reply: PromiseWithResolvers<Reply> }[] = [];
  const queue = new BatchQueue<number>({
    waitingBytesMax,
    gatherMs,
    bytesOf: () => 10,
    commit: (operations) => {
      const reply = Promise.withResolvers<Reply>();
      batches.push({ operations, reply });
      return reply.promise;
    },
  });
  return { queue, batches };
}

test('a batch is what one turn brought, and the next one what arrived during its commit', async () => {
  const { queue, batches } = heldQueue();

  const first = [queue.submit(1), queue.submit(2)];
  await nextTurn();
  const second = [queue.submit(3)];
  await nextTurn();
  second.push(queue.submit(4));
  await nextTurn();
  assert.deepEqual(
    batches.map((batch) => batch.operations),
    [[1, 2]],
  );
  batches[0]?.reply.resolve(undefined);
  await Promise.all(first);
  await nextTurn();
  assert.deepEqual(
    batches.map((batch) => batch.operations),
    [
      [1, 2],
      [3, 4],
    ],
  );
  batches[1]?.reply.resolve([{ value: 'three' }, { error: new StoreError('store_bad_value', 'four') }]);

  assert.equal(await second[0], 'three');
  await assert.rejects(second[1] ?? Promise.resolve(), withCode('store_bad_value'));
});

test('what is over the bound is refused, and there is room again once a batch has left', async () => {
  const { queue, batches } = heldQueue(30);

  const accepted = [queue.submit(1), queue.submit(2), queue.submit(3)];
  await assert.rejects(queue.submit(4), withCode('store_overloaded'));
  await nextTurn();
  accepted.push(queue.submit(5));
  batches[0]?.reply.resolve(undefined);
  await nextTurn();
  await nextTurn();
  batches[1]?.reply.resolve(undefined);

  await Promise.all(accepted);
  assert.deepEqual(batches[1]?.operations, [5]);
});

test('one commit takes no more than a few thousand operations', async () => {
  const { queue, batches } = heldQueue(100_000);

  const calls = Array.from({ length: 5000 }, (_, index) => queue.submit(index));
  for (let index = 0; index < 3; index++) {
    await nextTurn();
    await nextTurn();
    batches[index]?.reply.resolve(undefined);
  }
  await Promise.all(calls);

  assert.deepEqual(
    batches.map((batch) => batch.operations.length),
    [2048, 2048, 904],
  );
  assert.deepEqual(batches[1]?.operations[0], 2048);
});

test('a commit that throws fails its own batch only', async () => {
  const { queue, batches } = heldQueue();

  const first = queue.submit(1);
  await nextTurn();
  const second = queue.submit(2);
  batches[0]?.reply.reject(new Error('the disk is on fire'));
  await assert.rejects(first, withCode('store_unavailable'));
  await nextTurn();
  batches[1]?.reply.resolve(undefined);

  await second;
});

test('failing rejects what waits and what is under way; closing lets both finish', async () => {
  const failing = heldQueue();
  const lost = [failing.queue.submit(1)];
  await nextTurn();
  lost.push(failing.queue.submit(2));
  failing.queue.fail(new StoreError('store_failed', 'gone'));
  for (const call of [...lost, failing.queue.submit(3)]) await assert.rejects(call, withCode('store_failed'));

  const closing = heldQueue();
  const kept = [closing.queue.submit(1)];
  await nextTurn();
  kept.push(closing.queue.submit(2));
  let isClosed = false;
  const closed = closing.queue.close(new StoreError('store_closed', 'closed')).then(() => {
    isClosed = true;
  });
  await assert.rejects(closing.queue.submit(3), withCode('store_closed'));
  closing.batches[0]?.reply.resolve(undefined);
  await nextTurn();
  await nextTurn();
  assert.equal(isClosed, false);
  closing.batches[1]?.reply.resolve(undefined);
  await Promise.all(kept);
  await closed;
});

test('the first of a batch waits a little for company, and no longer once there is enough', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { queue, batches } = heldQueue(1000, 3);
  const accepted = [queue.submit(1)];
  await nextTurn();
  accepted.push(queue.submit(2));
  assert.equal(batches.length, 0);
  t.mock.timers.tick(3);
  assert.deepEqual(batches[0]?.operations, [1, 2]);

  for (let number = 0; number < 32; number += 1) accepted.push(queue.submit(number));
  batches[0]?.reply.resolve(undefined);
  await Promise.all(accepted.slice(0, 2));
  await nextTurn();
  await nextTurn();
  assert.equal(batches[1]?.operations.length, 32);
  batches[1]?.reply.resolve(undefined);
  await Promise.all(accepted);
});
