import { Backoff } from '../../util/backoff.ts';
import { sleep } from '../../util/deadline.ts';
import { errorCode } from '../../util/error-code.ts';
import { type FailureCode, FailureCodeSchema, type Via } from '../../wire/local-api.ts';
import type { HouseClient } from '../visit/house-client.ts';
import { VisitError } from '../visit/visit-error.ts';
import { orAborted } from './or-aborted.ts';

export interface HouseSessionOptions {
  /** Finds the house and opens a visit to it; called again when a connection is lost. Errors carry a `FailureCode`. */
  readonly connect: (signal: AbortSignal) => Promise<HouseClient>;
  readonly signal: AbortSignal;
  /** Waits between tries; set by tests. */
  readonly delays?: { readonly firstMs: number; readonly maxMs: number };
}

/** Tries in a row without progress: with the waits between them about a minute and a half. */
export const reconnectTriesMax = 10;
/** So many new bytes make a try one with progress: a house that sends a byte and hangs up is not kept company for ever. */
const progressBytesMin = 64 * 1024;
/** A house may be hashing a large file for somebody else: with the waits between them about ten minutes. */
const busyTriesMax = 40;
const defaultDelays = { firstMs: 250, maxMs: 15_000 };

/** A way to a peer that fails like this may work a minute later; anything else needs a person. */
const passingCodes: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'unreachable',
  'relay_away',
  // The relay does not announce somebody whose machine is just changing networks.
  'not_found',
]);

/** The visit of one download: one client at a time, replaced when its connection is lost, for all requests together. */
export class HouseSession implements Disposable {
  readonly #options: HouseSessionOptions;
  readonly #backoff: Backoff;
  #house: HouseClient | undefined;
  #connecting: Promise<HouseClient> | undefined;
  /** Why the last client was given up; undefined before the first. */
  #lost: unknown;
  #tries = 0;
  #newBytes = 0;
  #via: Via = 'direct';

  constructor(options: HouseSessionOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.delays ?? defaultDelays);
  }

  /** How the bytes come: by the client that was used last. */
  get via(): Via {
    return this.#via;
  }

  /** Bytes arrived: the tries to reconnect are counted anew. */
  progressed(bytes: number): void {
    this.#newBytes += bytes;
    if (this.#newBytes < progressBytesMin) return;
    this.#resetTries();
  }

  /** Something was completed, however small. */
  completed(): void {
    this.#resetTries();
  }

  /**
   * Runs `work` with a client; again, with another client or after a wait, as long as it fails in a way that passes
   * and the tries last.
   *
   * @param work is told what the run before failed with.
   */
  async run<T>(
    work: (house: HouseClient, failed: VisitError | undefined) => Promise<T>,
    signal: AbortSignal = this.#options.signal,
  ): Promise<T> {
    const busyBackoff = new Backoff(this.#options.delays ?? defaultDelays);
    let failed: VisitError | undefined;
    for (let busyTries = 0; ; ) {
      signal.throwIfAborted();
      const house = await orAborted(this.#connected(), signal);
      try {
        return await work(house, failed);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (!(error instanceof VisitError) || error.passing === undefined) throw error;
        failed = error;
        if (error.passing === 'connection') this.#lose(house, error);
        else {
          busyTries += 1;
          if (busyTries > busyTriesMax) throw error;
          await sleep(busyBackoff.nextMs(), signal);
        }
      }
    }
  }

  [Symbol.dispose](): void {
    this.#house?.[Symbol.dispose]();
    this.#house = undefined;
  }

  /** Several requests lose the same client at once: the first one says so, the others find the next. */
  #lose(house: HouseClient, error: VisitError): void {
    if (this.#house !== house) return;
    house[Symbol.dispose]();
    this.#house = undefined;
    this.#lost = error;
  }

  async #connected(): Promise<HouseClient> {
    if (this.#house !== undefined) return this.#house;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return await this.#connecting;
  }

  async #connect(): Promise<HouseClient> {
    const { connect, signal } = this.#options;
    for (;;) {
      // The first time whoever asked waits for a yes or no, and discovery has tried every address.
      if (this.#lost !== undefined) {
        if (this.#tries >= reconnectTriesMax) throw this.#lost;
        this.#tries += 1;
        await sleep(this.#backoff.nextMs(), signal);
      }
      try {
        const house = await connect(signal);
        if (signal.aborted) {
          house[Symbol.dispose]();
          throw signal.reason;
        }
        this.#house = house;
        this.#via = house.via;
        return house;
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (this.#lost === undefined || !isPassing(error)) throw error;
        this.#lost = error;
      }
    }
  }

  #resetTries(): void {
    this.#newBytes = 0;
    this.#tries = 0;
    this.#backoff.reset();
  }
}

function isPassing(error: unknown): boolean {
  const code = FailureCodeSchema.safeParse(errorCode(error));
  return code.success && passingCodes.has(code.data);
}
