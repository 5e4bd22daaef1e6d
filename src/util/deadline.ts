/** A wait that took too long. `code` is always `deadline`. */
export class DeadlineError extends Error {
  readonly code = 'deadline';

  constructor(action: string, afterMs: number) {
    super(`${action}: no answer within ${afterMs} ms`);
    this.name = 'DeadlineError';
  }
}

/** An abort controller with an end of life: dispose it, and neither timer nor listener is left behind. */
export interface LinkedAbort extends Disposable {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

/**
 * A controller that aborts when a parent does.
 *
 * `AbortSignal.any` keeps each composite alive for as long as its parents live (10,000 of 10,000 after a
 * collection, measured), so a parent that lives as long as the process must never be given to it.
 */
export function linkAbort(...parents: readonly (AbortSignal | undefined)[]): LinkedAbort {
  const controller = new AbortController();
  const unlinks: (() => void)[] = [];
  for (const parent of parents) {
    if (parent === undefined) continue;
    if (parent.aborted) {
      controller.abort(parent.reason);
      break;
    }
    const onAbort = (): void => controller.abort(parent.reason);
    parent.addEventListener('abort', onAbort, { once: true });
    unlinks.push(() => parent.removeEventListener('abort', onAbort));
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]() {
      for (const unlink of unlinks.splice(0)) unlink();
    },
  };
}

/**
 * Runs `work` with a signal that aborts after `afterMs` milliseconds or with `parent`.
 *
 * @param action what is being done, for the error: `Cannot reach relay`.
 * @throws {DeadlineError} when time ran out, whatever `work` threw on the abort.
 */
export async function withDeadline<T>(
  action: string,
  afterMs: number,
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  using link = linkAbort(parent);
  const error = new DeadlineError(action, afterMs);
  const timer = setTimeout(() => link.abort(error), afterMs);
  try {
    return await work(link.signal);
  } catch (thrown) {
    if (link.signal.aborted && link.signal.reason === error) throw error;
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}

/** Waits `delayMs` milliseconds; rejects with the signal's reason when it aborts first. */
export function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
