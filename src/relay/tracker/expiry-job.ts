import type { Logger } from 'pino';
import type { Tracker } from './tracker.ts';

/** How often expired broadcasts are removed (mission T5); they are not shown from the moment they expire. */
export const cleanupIntervalMsDefault = 300_000;

/** Removes expired broadcasts again and again until disposed, and logs how many. */
export class ExpiryJob implements AsyncDisposable {
  readonly #tracker: Tracker;
  readonly #log: Logger;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(tracker: Tracker, log: Logger, intervalMs: number = cleanupIntervalMsDefault) {
    this.#tracker = tracker;
    this.#log = log;
    this.#intervalMs = intervalMs;
    this.#schedule();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#run().finally(() => {
        if (this.#timer !== undefined) this.#schedule();
      });
    }, this.#intervalMs);
  }

  async #run(): Promise<void> {
    try {
      const removed = await this.#tracker.removeExpired();
      this.#log.info({ removed }, 'removed expired broadcasts');
    } catch (error) {
      this.#log.error({ err: error }, 'could not remove expired broadcasts, will try again');
    }
  }
}
