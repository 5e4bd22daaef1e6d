import { DownloadError } from './download-error.ts';

/** More at once only share the same line and disk; each holds up to {@link file://./partial-writer.ts} buffers. */
export const downloadsAtOnceMax = 8;
/** Beyond it the answer is no: a script that starts thousands should hear of it. */
export const downloadsWaitingMax = 256;

/** The downloads of one daemon that are under way: how many there are, and what they write to. */
export class ActiveDownloads {
  readonly #claimed = new Set<string>();
  #running = 0;
  readonly #waitingForPlace: (() => void)[] = [];
  #waitingForClaim: (() => void)[] = [];

  /** A place among the {@link downloadsAtOnceMax}, in the order of asking; dispose it. Rejects with the signal's reason. */
  async enter(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#running < downloadsAtOnceMax) {
      this.#running += 1;
      return this.#place();
    }
    if (this.#waitingForPlace.length >= downloadsWaitingMax)
      throw new DownloadError(
        'failed',
        `Cannot start the download: ${this.#running} are running and ${downloadsWaitingMax} wait already`,
      );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => {
      this.#waitingForPlace.splice(this.#waitingForPlace.indexOf(resolve), 1);
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waitingForPlace.push(resolve);
    await promise.finally(() => signal.removeEventListener('abort', onAbort));
    return this.#place();
  }

  /**
   * Takes all of `keys` (what a download writes to: the file, its partial, its journal) or none.
   * Undefined when another download has one of them.
   */
  claim(keys: readonly string[]): Disposable | undefined {
    if (keys.some((key) => this.#claimed.has(key))) return undefined;
    for (const key of keys) this.#claimed.add(key);
    return {
      [Symbol.dispose]: () => {
        for (const key of keys) this.#claimed.delete(key);
        for (const wake of this.#waitingForClaim.splice(0)) wake();
      },
    };
  }

  /**
   * The same, waiting for the other download: in one folder `a.partial` can be a file of the house and the partial of
   * `a`. Nobody holds one claim while waiting for another, so this ends.
   */
  async claimWhenFree(keys: readonly string[], signal: AbortSignal): Promise<Disposable> {
    for (;;) {
      signal.throwIfAborted();
      const claim = this.claim(keys);
      if (claim !== undefined) return claim;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waitingForClaim.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
    }
  }

  #place(): Disposable {
    return {
      [Symbol.dispose]: () => {
        // The place goes straight to the next one, so that nobody slips in between.
        const next = this.#waitingForPlace.shift();
        if (next === undefined) this.#running -= 1;
        else next();
      },
    };
  }
}
