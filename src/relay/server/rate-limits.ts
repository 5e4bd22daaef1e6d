import { TokenBucket, TokenBuckets } from '../../util/token-bucket.ts';
import { networkOf } from '../../wire/ip-address.ts';
import type { Credential } from '../tracker/directory.ts';
import type { Authentication } from '../tracker/tracker.ts';

export interface RateLimitOptions {
  /** Requests a second that one certificate may go on making to the tracker. */
  readonly clientPerSecond: number;
  /** Requests at once that one certificate may make after a pause. */
  readonly clientBurst: number;
  /** Requests a minute from one network address without a registered certificate (mission M6). */
  readonly addressPerMinute: number;
  /**
   * Refusals of a taken e-mail that one network address may collect in an hour: each tells that an e-mail is there.
   * Beyond them it cannot register anything new, or what still works would tell the same.
   */
  readonly takenPerHour: number;
}

/**
 * A client refreshes twice an hour and looks up its friends each minute: 20/s is 40 friends at once with time to spare, and
 * a thousand clients doing it all day are a core's work.
 */
export const rateLimitDefaults: RateLimitOptions = {
  clientPerSecond: 20,
  clientBurst: 200,
  addressPerMinute: 100,
  takenPerHour: 20,
};

/** About 12 MB when full; somebody with more addresses than this has other means. */
const addressesRememberedMax = 100_000;
const sweepIntervalMs = 60_000;

/** The tracker's limits: by certificate where there is one, by network address where there is none. */
export class RateLimits implements Disposable {
  readonly #options: RateLimitOptions;
  readonly #byAddress: TokenBuckets;
  readonly #takenByAddress: TokenBuckets;
  readonly #nowMs: () => number;
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: RateLimitOptions, nowMs: () => number) {
    this.#options = options;
    this.#nowMs = nowMs;
    this.#byAddress = new TokenBuckets({
      burst: options.addressPerMinute,
      perSecond: options.addressPerMinute / 60,
      keysMax: addressesRememberedMax,
    });
    this.#takenByAddress = new TokenBuckets({
      burst: options.takenPerHour,
      perSecond: options.takenPerHour / 3600,
      keysMax: addressesRememberedMax,
    });
    this.#sweeper = setInterval(() => this.#sweep(), sweepIntervalMs);
    this.#sweeper.unref();
  }

  /** 0 when the request may go on, else milliseconds to wait: counted by certificate where a registered one is shown. */
  take(who: Authentication, address: string, requests = 1): number {
    return 'credential' in who ? this.#takeForClient(who.credential, requests) : this.takeForAddress(address);
  }

  /** The same for what is counted by address whoever asks: who can make certificates at will could make budgets with them. */
  takeForAddress(address: string): number {
    return this.#byAddress.take(networkOf(address), this.#nowMs());
  }

  /** 0 when this address may still be told that an e-mail is taken, else milliseconds to wait. */
  waitForTaken(address: string): number {
    return this.#takenByAddress.wait(networkOf(address), this.#nowMs());
  }

  /** Counts that it was told. */
  takeTaken(address: string): number {
    return this.#takenByAddress.take(networkOf(address), this.#nowMs());
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweeper);
  }

  #takeForClient(credential: Credential, requests: number): number {
    const nowMs = this.#nowMs();
    credential.bucket ??= new TokenBucket(this.#options.clientBurst, this.#options.clientPerSecond, nowMs);
    return credential.bucket.take(nowMs, requests);
  }

  #sweep(): void {
    this.#byAddress.sweep(this.#nowMs());
    this.#takenByAddress.sweep(this.#nowMs());
  }
}
