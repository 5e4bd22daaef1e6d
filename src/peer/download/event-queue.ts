import type { DownloadEvent } from '../../wire/local-api.ts';

/** Events that wait for a slow reader before the download waits too; the few that are said meanwhile still fit. */
const waitingMax = 1024;
/** Beyond it, news that only inform are dropped: a connection that breaks all night while nobody reads. */
const waitingHardMax = 4 * waitingMax;

/** Hands events from a download to whoever listens, in order; of progress only the newest waits. */
export class EventQueue implements AsyncIterable<DownloadEvent> {
  readonly #waiting: DownloadEvent[] = [];
  #last: DownloadEvent | undefined;
  #wakeReader: (() => void) | undefined;
  #wakeWriters: (() => void)[] = [];

  push(event: DownloadEvent): void {
    if (this.#last !== undefined || this.#waiting.length >= waitingHardMax) return;
    if (event.event === 'progress' && this.#waiting.at(-1)?.event === 'progress') this.#waiting.pop();
    this.#waiting.push(event);
    this.#wakeReader?.();
  }

  /** The last event: nothing follows it. */
  end(event: DownloadEvent): void {
    this.#last ??= event;
    this.#wakeReader?.();
  }

  /** Resolves when fewer than {@link waitingMax} wait; rejects with the signal's reason. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#waiting.length >= waitingMax) {
      signal.throwIfAborted();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wakeWriters.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<DownloadEvent> {
    for (;;) {
      const event = this.#waiting.shift();
      if (event !== undefined) {
        if (this.#waiting.length < waitingMax) for (const wake of this.#wakeWriters.splice(0)) wake();
        yield event;
      } else if (this.#last !== undefined) {
        yield this.#last;
        return;
      } else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wakeReader = resolve;
        await promise;
      }
    }
  }
}
