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

/**
 * What is asked about a file: its digest, that and one a block, or those of blocks `from` up to and not including `end`. Hashing
 * twice costs twice, so that a download of a file which arrives whole asks for the first only.
 */
export type DigestQuestion =
  | { readonly kind: 'whole' }
  | { readonly kind: 'whole-and-blocks' }
  | { readonly kind: 'span'; readonly from: number; readonly end: number };

export interface Digests {
  /** 32 bytes; undefined when only a span of blocks was asked for. */
  readonly sha256: Uint8Array | undefined;
  /** 32 bytes a block; undefined when they were not asked for and are not known. */
  readonly blocks: Uint8Array | undefined;
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

  /** Rejects with the signal's reason when it aborts. */
  async digests(item: HouseItem, question: DigestQuestion, signal: AbortSignal): Promise<Digests | Refusal> {
    const version = versionKey(item.held.stats);
    const known = answerFrom(this.#cache.get(version), question);
    if (known !== undefined) return known;
    const key = `${version}/${question.kind === 'span' ? `${question.from}-${question.end}` : question.kind}`;
    const job = this.#jobByKey.get(key) ?? this.#start(key, version, item, question);
    return job === undefined ? busyRefusal : await this.#waitFor(key, job, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = new Error('the house is closing');
    for (const { abort } of this.#jobByKey.values()) abort.abort(closing);
    await Promise.allSettled(this.#running);
    await this.#threads[Symbol.asyncDispose]();
  }

  #start(key: string, version: string, item: HouseItem, question: DigestQuestion): SharedJob | undefined {
    if (this.#running.size >= digestJobsMax) return undefined;
    const abort = new AbortController();
    const result = this.#compute(version, item, question, abort.signal);
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
    question: DigestQuestion,
    signal: AbortSignal,
  ): Promise<Digests | Refusal> {
    // A handle of its own: the one of the request that began it closes when that visitor leaves.
    const file = await openForReading(item);
    if (isRefusal(file)) return file;
    await using _ = file;
    const { stats } = item.held;
    const { from, end } =
      question.kind === 'span' ? question : { from: 0, end: blockCount(Number(stats.size)) };
    const outcome = await this.#threads.run(
      {
        descriptor: file.fd,
        sizeBytes: Number(stats.size),
        fromBlock: from,
        endBlock: end,
        wholeFile: question.kind !== 'span',
        eachBlock: question.kind !== 'whole',
      },
      signal,
    );
    const digests = digestsOf(outcome);
    if (isRefusal(digests)) return digests;
    if (!isSameVersion(stats, await file.stat({ bigint: true }))) return changedRefusal;
    const { sha256, blocks } = digests;
    // What came first with its blocks is not replaced by what came later without.
    if (sha256 !== undefined && (blocks !== undefined || this.#cache.get(version) === undefined))
      this.#cache.set(version, { sha256, blocks });
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

/** Undefined when what is known does not answer the question. */
function answerFrom(known: FileDigests | undefined, question: DigestQuestion): Digests | undefined {
  if (known === undefined || question.kind === 'whole') return known;
  if (known.blocks === undefined) return undefined;
  if (question.kind === 'whole-and-blocks') return known;
  const { from, end } = question;
  return { sha256: undefined, blocks: known.blocks.subarray(from * sha256Bytes, end * sha256Bytes) };
}
