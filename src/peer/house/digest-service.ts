import type { BigIntStats } from 'node:fs';
import { digestBlockBytes } from '../../wire/house-http.ts';
import { DigestCache, type FileDigests } from './digest-cache.ts';
import { type DigestOutcome, sha256Bytes } from './digest-job.ts';
import { DigestThreads } from './digest-threads.ts';
import { refusalOfErrno } from './errno-refusal.ts';
import { isSameVersion } from './file-version.ts';
import { type HouseItem, openForReading } from './open-inside.ts';
import { busyRefusal, isRefusal, type Refusal, refuse } from './refusal.ts';

/** Files that are hashed or wait for it. One more and the answer is "busy": a queue of 100 GB files helps nobody. */
export const digestJobsMax = 16;
/** Block digests of some 5 TB of files. */
const cacheBytesMax = 40 * 1024 * 1024;

/** Blocks `from` up to and not including `end`. */
export interface BlockSpan {
  readonly from: number;
  readonly end: number;
}

export interface Digests {
  /** 32 bytes; undefined when only a span of blocks was asked for. */
  readonly sha256: Uint8Array | undefined;
  /** 32 bytes a block. */
  readonly blocks: Uint8Array;
}

interface SharedJob {
  readonly result: Promise<Digests | Refusal>;
  readonly abort: AbortController;
  askers: number;
}

const changedRefusal = refuse(503, 'the file changed while it was read: try again', { 'Retry-After': '1' });

/**
 * Digests of files: each computed once however many ask, remembered for as long as the file stays as it is, and given
 * up when the last one who asked has gone.
 */
export class DigestService implements AsyncDisposable {
  readonly #threads = new DigestThreads();
  readonly #cache = new DigestCache(cacheBytesMax);
  readonly #jobByKey = new Map<string, SharedJob>();
  readonly #running = new Set<Promise<unknown>>();

  /** The digests of `span`, or of the whole file. Rejects with the signal's reason when it aborts. */
  async digests(
    item: HouseItem,
    span: BlockSpan | undefined,
    signal: AbortSignal,
  ): Promise<Digests | Refusal> {
    const version = versionKey(item.held.stats);
    const known = this.#cache.get(version);
    if (known !== undefined) return span === undefined ? known : slice(known, span);
    const key = span === undefined ? version : `${version}/${span.from}-${span.end}`;
    const job = this.#jobByKey.get(key) ?? this.#start(key, version, item, span);
    return job === undefined ? busyRefusal : await this.#waitFor(key, job, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = new Error('the house is closing');
    for (const { abort } of this.#jobByKey.values()) abort.abort(closing);
    await Promise.allSettled(this.#running);
    await this.#threads[Symbol.asyncDispose]();
  }

  #start(key: string, version: string, item: HouseItem, span: BlockSpan | undefined): SharedJob | undefined {
    if (this.#running.size >= digestJobsMax) return undefined;
    const abort = new AbortController();
    const result = this.#compute(version, item, span, abort.signal);
    const job: SharedJob = { result, abort, askers: 0 };
    const ended = (): void => {
      this.#running.delete(result);
      if (this.#jobByKey.get(key) === job) this.#jobByKey.delete(key);
    };
    this.#running.add(result);
    this.#jobByKey.set(key, job);
    result.then(ended, ended);
    return job;
  }

  async #waitFor(key: string, job: SharedJob, signal: AbortSignal): Promise<Digests | Refusal> {
    const { promise: gone, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    job.askers += 1;
    try {
      signal.throwIfAborted();
      return await Promise.race([job.result, gone]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      job.askers -= 1;
      if (job.askers === 0) {
        // Nobody joins a job that is being given up.
        if (this.#jobByKey.get(key) === job) this.#jobByKey.delete(key);
        job.abort.abort(new Error('nobody waits for the digest any more'));
      }
    }
  }

  async #compute(
    version: string,
    item: HouseItem,
    span: BlockSpan | undefined,
    signal: AbortSignal,
  ): Promise<Digests | Refusal> {
    // A handle of its own: the one of the request that began it closes when that visitor leaves.
    const file = await openForReading(item);
    if (isRefusal(file)) return file;
    await using _ = file;
    const { stats } = item.held;
    const outcome = await this.#threads.run(
      {
        descriptor: file.fd,
        sizeBytes: Number(stats.size),
        fromBlock: span?.from ?? 0,
        endBlock: span?.end ?? blockCount(Number(stats.size)),
        wholeFile: span === undefined,
      },
      signal,
    );
    const digests = digestsOf(outcome);
    if (isRefusal(digests)) return digests;
    if (!isSameVersion(stats, await file.stat({ bigint: true }))) return changedRefusal;
    const { sha256, blocks } = digests;
    if (sha256 !== undefined) this.#cache.set(version, { sha256, blocks });
    return digests;
  }
}

/** Blocks in a file of `sizeBytes`: none when it is empty. */
export function blockCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / digestBlockBytes);
}

function digestsOf(outcome: DigestOutcome): Digests | Refusal {
  if (outcome.kind === 'done') return outcome;
  if (outcome.kind !== 'failed') return changedRefusal;
  const refusal = refusalOfErrno(outcome.code);
  if (refusal === undefined) throw new Error(`Cannot compute digest: ${outcome.message}`);
  return refusal;
}

/** Stricter than the tag that visitors see: a change that keeps size and time still moves the change time. */
function versionKey(stats: BigIntStats): string {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':');
}

function slice(known: FileDigests, { from, end }: BlockSpan): Digests {
  return { sha256: undefined, blocks: known.blocks.subarray(from * sha256Bytes, end * sha256Bytes) };
}
