import type { ProbeOptions } from './store.ts';
import { StoreError } from './store-error.ts';

/** Waits for an engine's answer as long as the caller of `probe` wants to; the question itself goes on. */
export async function answerWithin(
  answer: Promise<unknown>,
  { timeoutMs, signal }: ProbeOptions,
): Promise<void> {
  // Whoever waits for it here may have left by the time it fails.
  answer.catch(() => undefined);
  signal?.throwIfAborted();
  const tooLate = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    tooLate.reject(
      new StoreError('store_unavailable', `The database did not answer within ${timeoutMs} ms.`),
    );
  }, timeoutMs);
  const onAbort = (): void => tooLate.reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([answer, tooLate.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
