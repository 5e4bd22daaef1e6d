export interface TokenBucketOptions {
  /** Tokens a full bucket holds: the burst that is let through. */
  readonly burst: number;
  /** Tokens that come back each second. */
  readonly perSecond: number;
  /** Buckets kept at most; the longest unused goes first. Bounds memory against many made-up keys. */
  readonly keysMax: number;
}

interface Bucket {
  tokens: number;
  updatedMs: number;
}

/**
 * Token buckets by key, pure: time is handed in.
 *
 * A forgotten key starts again with a full bucket, so `keysMax` must be large beside the number of keys
 * that can be spent at once; otherwise an attacker with many addresses could reset his own.
 */
export class TokenBuckets {
  readonly #options: TokenBucketOptions;
  readonly #bucketByKey = new Map<string, Bucket>();

  constructor(options: TokenBucketOptions) {
    this.#options = options;
  }

  /** Takes one token: 0 when there was one, else how many milliseconds until there is. */
  take(key: string, nowMs: number): number {
    const { burst, perSecond, keysMax } = this.#options;
    let bucket = this.#bucketByKey.get(key);
    // Put back at the end: the map's order is the order of use.
    if (bucket !== undefined) this.#bucketByKey.delete(key);
    else {
      if (this.#bucketByKey.size >= keysMax) this.#forgetOldest();
      bucket = { tokens: burst, updatedMs: nowMs };
    }
    this.#bucketByKey.set(key, bucket);
    return takeFrom(bucket, burst, perSecond, nowMs);
  }

  /** The same without taking it: what `take` would say now. */
  wait(key: string, nowMs: number): number {
    const { burst, perSecond } = this.#options;
    const bucket = this.#bucketByKey.get(key);
    return bucket === undefined ? 0 : takeFrom({ ...bucket }, burst, perSecond, nowMs);
  }

  get size(): number {
    return this.#bucketByKey.size;
  }

  /** Drops the buckets that are full again: they say nothing that a new one would not. */
  sweep(nowMs: number): void {
    const { burst, perSecond } = this.#options;
    for (const [key, bucket] of this.#bucketByKey) {
      if (bucket.tokens + ((nowMs - bucket.updatedMs) / 1000) * perSecond >= burst)
        this.#bucketByKey.delete(key);
    }
  }

  #forgetOldest(): void {
    for (const key of this.#bucketByKey.keys()) {
      this.#bucketByKey.delete(key);
      return;
    }
  }
}

/** One bucket for one holder, where looking it up by key would cost more than the request. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #bucket: Bucket;

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#bucket = { tokens: burst, updatedMs: nowMs };
  }

  /** Takes `tokens`: 0 when they were there, else how many milliseconds until they are. More than the burst counts as the burst. */
  take(nowMs: number, tokens = 1): number {
    return takeFrom(this.#bucket, this.#burst, this.#perSecond, nowMs, Math.min(tokens, this.#burst));
  }
}

/** Many small sums stray this far at most: whoever waited as long as they were told must find their token. */
const roundingTokens = 1e-9;

function takeFrom(bucket: Bucket, burst: number, perSecond: number, nowMs: number, tokens = 1): number {
  // A clock that was set back gives nothing and takes nothing.
  const elapsedMs = Math.max(0, nowMs - bucket.updatedMs);
  bucket.tokens = Math.min(burst, bucket.tokens + (elapsedMs / 1000) * perSecond);
  bucket.updatedMs = nowMs;
  const missing = tokens - bucket.tokens;
  if (missing <= roundingTokens) {
    bucket.tokens = Math.max(0, bucket.tokens - tokens);
    return 0;
  }
  return Math.ceil(((missing - roundingTokens) / perSecond) * 1000);
}
