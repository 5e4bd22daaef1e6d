import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { DigestJob, DigestOutcome } from './digest-job.ts';

/** Hashing runs at the speed of a disk: one thread keeps it busy, a second lets a small file pass a large one. */
const threadsMax = Math.max(1, Math.min(2, availableParallelism() - 1));
/** A thread costs some 10 MB of memory: it ends when nothing was asked of it this long. */
const idleMs = 30_000;

export type DigestWork = Omit<DigestJob, 'cancelled'>;

/** Ends by itself when it idles; is replaced when it dies. */
interface Thread {
  readonly worker: Worker;
  idleTimer: NodeJS.Timeout | undefined;
}

/** Threads that hash. Work waits here for a free one, in order; how much may wait is the caller's to bound. */
export class DigestThreads implements AsyncDisposable {
  readonly #threads = new Set<Thread>();
  readonly #idle: Thread[] = [];
  /** Each is handed a thread, or nothing when it should look again. */
  readonly #waiting = new Set<(thread: Thread | undefined) => void>();
  #isClosed = false;

  /** Runs `work`. Rejects with the signal's reason when it aborts before or meanwhile, and when the thread dies. */
  async run(work: DigestWork, signal: AbortSignal): Promise<DigestOutcome> {
    const thread = await this.#take(signal);
    try {
      return await this.#runOn(thread, work, signal);
    } finally {
      this.#giveBack(thread);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const wake of this.#waiting) wake(undefined);
    await Promise.all([...this.#threads].map((thread) => this.#end(thread)));
  }

  async #take(signal: AbortSignal): Promise<Thread> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#isClosed) throw new Error('Cannot compute digest: the house is closing');
      const idle = this.#idle.pop();
      if (idle !== undefined) {
        clearTimeout(idle.idleTimer);
        return idle;
      }
      if (this.#threads.size < threadsMax) return this.#start();
      const handed = await this.#wait(signal);
      if (handed !== undefined) return handed;
    }
  }

  async #wait(signal: AbortSignal): Promise<Thread | undefined> {
    const { promise, resolve } = Promise.withResolvers<Thread | undefined>();
    const onAbort = (): void => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.add(resolve);
    try {
      return await promise;
    } finally {
      this.#waiting.delete(resolve);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #giveBack(thread: Thread): void {
    const isAlive = this.#threads.has(thread);
    for (const hand of this.#waiting) {
      this.#waiting.delete(hand);
      hand(isAlive ? thread : undefined);
      return;
    }
    if (!isAlive || this.#isClosed) return;
    thread.worker.unref();
    thread.idleTimer = setTimeout(() => {
      this.#idle.splice(this.#idle.indexOf(thread), 1);
      void this.#end(thread);
    }, idleMs).unref();
    this.#idle.push(thread);
  }

  #start(): Thread {
    // The published package holds compiled files beside this one, a checkout the sources.
    const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
    const worker = new Worker(new URL(`./digest-worker${extension}`, import.meta.url));
    const thread: Thread = { worker, idleTimer: undefined };
    this.#threads.add(thread);
    const forget = (): void => void this.#threads.delete(thread);
    // Whoever runs work on it hears of the error as well; between two jobs nobody else would.
    worker.on('error', forget);
    worker.on('exit', forget);
    return thread;
  }

  async #end(thread: Thread): Promise<void> {
    clearTimeout(thread.idleTimer);
    this.#threads.delete(thread);
    await thread.worker.terminate();
  }

  async #runOn({ worker }: Thread, work: DigestWork, signal: AbortSignal): Promise<DigestOutcome> {
    const cancelled = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const { promise, resolve, reject } = Promise.withResolvers<DigestOutcome>();
    const onError = (error: unknown): void =>
      reject(new Error('Cannot compute digest: its thread failed', { cause: error }));
    const onExit = (): void => reject(new Error('Cannot compute digest: its thread ended'));
    // The thread answers all the same, within one block: it must not read on when the file is closed.
    const onAbort = (): void => void Atomics.store(new Int32Array(cancelled), 0, 1);
    signal.addEventListener('abort', onAbort, { once: true });
    worker.once('message', resolve).once('error', onError).once('exit', onExit).ref();
    worker.postMessage({ ...work, cancelled } satisfies DigestJob);
    try {
      const outcome = await promise;
      signal.throwIfAborted();
      return outcome;
    } finally {
      signal.removeEventListener('abort', onAbort);
      worker.off('message', resolve).off('error', onError).off('exit', onExit);
    }
  }
}
