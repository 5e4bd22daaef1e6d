import { linkAbort } from '../../util/deadline.ts';

/**
 * Runs `work`, which may be silent for long, and gives it up with the error of `check` when that fails meanwhile.
 *
 * @param work must be done with its signal when it resolves: the signal aborts then.
 * @param everyMs how long after one check the next is due; one runs at a time.
 */
export async function whileAlive<T>(
  check: (signal: AbortSignal) => Promise<unknown>,
  everyMs: number,
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  using link = linkAbort(parent);
  let timer: NodeJS.Timeout;
  const checkOnce = (): void => {
    check(link.signal).then(
      () => void timer.refresh(),
      (error: unknown) => link.abort(error),
    );
  };
  timer = setTimeout(checkOnce, everyMs);
  try {
    return await work(link.signal);
  } finally {
    clearTimeout(timer);
    // A check that is under way must not set the timer again.
    link.abort(new Error('the work is done'));
  }
}
