import type { LinkedAbort } from '../../util/deadline.ts';

/** What `promise` gives, or the signal's reason when that aborts first; what is awaited then goes on unwatched. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    // When nobody lost the race nobody waits for these any more.
    aborted.catch(() => {});
    promise.catch(() => {});
  }
}

/** Both results; when one fails the scope is aborted, and the first failure is thrown when both have ended. */
export async function bothOrAbort<A, B>(
  scope: LinkedAbort,
  one: Promise<A>,
  other: Promise<B>,
): Promise<[A, B]> {
  let failure: { readonly error: unknown } | undefined;
  const watch = async <T>(promise: Promise<T>): Promise<T | undefined> => {
    try {
      return await promise;
    } catch (error) {
      failure ??= { error };
      scope.abort(error);
      return undefined;
    }
  };
  const results = await Promise.all([watch(one), watch(other)]);
  if (failure !== undefined) throw failure.error;
  return results as [A, B];
}
