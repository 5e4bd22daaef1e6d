export interface BackoffOptions {
  /** First ceiling, in milliseconds. */
  readonly firstMs: number;
  /** Ceiling that no delay exceeds, in milliseconds. */
  readonly maxMs: number;
  /** Returns a number in [0, 1). */
  readonly random?: () => number;
}

/**
 * Delays between tries: the ceiling doubles, and each delay is drawn from its upper half, so that many
 * clients that lost the same relay do not return together ("equal jitter", Brooker, AWS Architecture Blog 2015).
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #tries = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The next delay, in milliseconds. */
  nextMs(): number {
    const { firstMs, maxMs, random = Math.random } = this.#options;
    const ceilingMs = Math.min(maxMs, firstMs * 2 ** Math.min(this.#tries, 30));
    this.#tries += 1;
    return Math.round(ceilingMs / 2 + (random() * ceilingMs) / 2);
  }

  reset(): void {
    this.#tries = 0;
  }
}
