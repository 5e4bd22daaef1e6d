import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { DeadlineError, linkAbort, sleep, withDeadline } from './deadline.ts';

/** Settles with the signal's reason, as work does that listens to its signal. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

test('linkAbort aborts with the reason of whichever parent aborts first', () => {
  const [first, second] = [new AbortController(), new AbortController()];
  using link = linkAbort(first.signal, undefined, second.signal);
  second.abort('second');
  first.abort('first');
  assert.equal(link.signal.reason, 'second');
});

test('linkAbort of a parent that has aborted is aborted from the start', () => {
  using link = linkAbort(new AbortController().signal, AbortSignal.abort('early'));
  assert.equal(link.signal.aborted, true);
  assert.equal(link.signal.reason, 'early');
});

test('linkAbort that is disposed leaves no listener on its parents and hears them no more', () => {
  const parents = [new AbortController(), new AbortController()] as const;
  const link = linkAbort(parents[0].signal, parents[1].signal);
  assert.equal(getEventListeners(parents[0].signal, 'abort').length, 1);
  link[Symbol.dispose]();
  for (const { signal } of parents) assert.equal(getEventListeners(signal, 'abort').length, 0);
  parents[0].abort();
  assert.equal(link.signal.aborted, false);
});

test('withDeadline gives what the work gives and leaves neither timer nor listener', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const parent = new AbortController();
  let seen: AbortSignal | undefined;
  const result = await withDeadline('Cannot count', 100, parent.signal, async (signal) => {
    seen = signal;
    return 42;
  });
  context.mock.timers.tick(1000);
  assert.equal(result, 42);
  assert.equal(seen?.aborted, false);
  assert.equal(getEventListeners(parent.signal, 'abort').length, 0);
});

test('withDeadline rejects with a DeadlineError that names the action and the time, whatever the work threw', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const result = withDeadline('Cannot reach relay', 250, undefined, async (signal) => {
    await untilAborted(signal).catch(() => {
      throw new Error('something else');
    });
  });
  context.mock.timers.tick(250);
  await assert.rejects(result, (error) => {
    assert.ok(error instanceof DeadlineError);
    assert.equal(error.code, 'deadline');
    assert.equal(error.message, 'Cannot reach relay: no answer within 250 ms');
    return true;
  });
});

test("withDeadline passes the work's own error and the parent's reason through", async () => {
  const failure = new Error('own');
  await assert.rejects(
    withDeadline('Cannot try', 10_000, undefined, () => Promise.reject(failure)),
    (error) => error === failure,
  );
  const parent = new AbortController();
  const aborted = withDeadline('Cannot try', 10_000, parent.signal, untilAborted);
  const reason = new Error('stopped');
  parent.abort(reason);
  await assert.rejects(aborted, (error) => error === reason);
});

test('sleep resolves after its time and leaves no listener', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const controller = new AbortController();
  const slept = sleep(500, controller.signal);
  context.mock.timers.tick(500);
  await slept;
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
});

test('sleep rejects with the reason when its signal aborts before or during it', async () => {
  await assert.rejects(sleep(10_000, AbortSignal.abort('before')), (error) => error === 'before');
  const controller = new AbortController();
  const slept = sleep(10_000, controller.signal);
  controller.abort('during');
  await assert.rejects(slept, (error) => error === 'during');
});
