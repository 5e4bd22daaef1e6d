import { StoreError } from './store-error.ts';

/**
 * What may wait for its commit. A relay in health has one write per request in progress waiting, of about 1 KB each;
 * this is 65,536 of those, and keeps a stuck disk from costing more memory than a small machine has.
 */
const waitingBytesMaxDefault = 64 * 2 ** 20;

/** One commit: some tens of milliseconds of work, so that a write never waits long for the batch before its own. */
const batchOperationsMax = 2_048;
const batchBytesMax = 8 * 2 ** 20;

/**
 * A batch that is begun by an idle queue waits this long for company. A commit of one row costs two wake-ups of threads and
 * a transaction, 30 µs; with newcomers announcing themselves 800 times a second, gathering makes a new connection with its
 * announcement 1.10 × instead of 1.22 × as dear as without a store. A client waits tens of milliseconds for its handshake before.
 */
const gatherMsDefault = 3;
/** Enough company: a batch of this size is as cheap a row as a larger one. */
const gatheredOperationsEnough = 32;

/** What became of one operation of a batch; `undefined` stands for success without a value, the usual case. */
export type Outcome = undefined | { readonly value: unknown } | { readonly error: StoreError };

interface Entry<Operation> {
  readonly operation: Operation;
  readonly bytes: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: StoreError) => void;
}

export interface BatchQueueOptions<Operation> {
  /** Commits the operations in order; resolves with an outcome for each, by index (`undefined`: all succeeded). */
  readonly commit: (operations: readonly Operation[]) => Promise<readonly Outcome[] | undefined>;
  /** About how much memory an operation holds. */
  readonly bytesOf: (operation: Operation) => number;
  readonly waitingBytesMax?: number;
  /** How long the first operation of a batch waits for others, milliseconds; 0: to the end of the turn. */
  readonly gatherMs?: number;
}

/**
 * Group commit: one batch is under way at a time, and the next one is whatever arrived meanwhile, or within a few
 * milliseconds of the first.
 */
export class BatchQueue<Operation> {
  readonly #commit: BatchQueueOptions<Operation>['commit'];
  readonly #bytesOf: BatchQueueOptions<Operation>['bytesOf'];
  readonly #waitingBytesMax: number;
  readonly #gatherMs: number;
  #waiting: Entry<Operation>[] = [];
  #waitingBytes = 0;
  #committing: readonly Entry<Operation>[] = [];
  #gathering: NodeJS.Timeout | undefined;
  #isScheduled = false;
  #refusal: StoreError | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: BatchQueueOptions<Operation>) {
    this.#commit = options.commit;
    this.#bytesOf = options.bytesOf;
    this.#waitingBytesMax = options.waitingBytesMax ?? waitingBytesMaxDefault;
    this.#gatherMs = options.gatherMs ?? gatherMsDefault;
  }

  /** Resolves with the operation's value once it is committed. */
  submit(operation: Operation): Promise<unknown> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    const bytes = this.#bytesOf(operation);
    if (this.#waitingBytes + bytes > this.#waitingBytesMax) return Promise.reject(this.#overloaded());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operation, bytes, resolve, reject });
      this.#waitingBytes += bytes;
      this.#schedule();
    });
  }

  /** Refuses everything from now on, and rejects what waits or is under way. */
  fail(error: StoreError): void {
    this.#refusal ??= error;
    for (const entry of [...this.#committing, ...this.#waiting]) entry.reject(error);
    this.#committing = [];
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#onIdle?.();
  }

  /** Refuses new operations with `refusal`; resolves when the earlier ones have settled. */
  close(refusal: StoreError): Promise<void> {
    this.#refusal ??= refusal;
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      if (this.#committing.length === 0 && this.#waiting.length === 0) resolve();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#committing.length > 0) return;
    if (this.#gatherMs > 0 && this.#waiting.length < gatheredOperationsEnough) {
      this.#gathering ??= setTimeout(() => this.#begin(), this.#gatherMs);
      return;
    }
    // At the end of the turn: what is read in one turn shares a commit.
    this.#isScheduled = true;
    setImmediate(() => this.#begin());
  }

  #begin(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#isScheduled = false;
    if (this.#waiting.length > 0 && this.#committing.length === 0) void this.#commitNext();
  }

  async #commitNext(): Promise<void> {
    const entries = this.#takeBatch();
    this.#committing = entries;
    try {
      settle(entries, await this.#commit(entries.map((entry) => entry.operation)));
    } catch (error) {
      for (const entry of entries) entry.reject(asStoreError(error));
    }
    this.#committing = [];
    if (this.#waiting.length > 0) this.#schedule();
    else this.#onIdle?.();
  }

  #takeBatch(): readonly Entry<Operation>[] {
    let count = 0;
    let bytes = 0;
    for (const entry of this.#waiting) {
      if (count >= batchOperationsMax || (count > 0 && bytes + entry.bytes > batchBytesMax)) break;
      count += 1;
      bytes += entry.bytes;
    }
    const batch = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    this.#waitingBytes -= bytes;
    return batch;
  }

  #overloaded(): StoreError {
    const { length } = this.#waiting;
    return new StoreError(
      'store_overloaded',
      `Cannot write to the store now: ${length} writes (${this.#waitingBytes} bytes) are waiting, ` +
        `the limit is ${this.#waitingBytesMax} bytes. Try again later.`,
    );
  }
}

function settle(entries: readonly Entry<unknown>[], outcomes: readonly Outcome[] | undefined): void {
  for (const [index, entry] of entries.entries()) {
    const outcome = outcomes?.[index];
    if (outcome === undefined) entry.resolve(undefined);
    else if ('error' in outcome) entry.reject(outcome.error);
    else entry.resolve(outcome.value);
  }
}

function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('store_unavailable', `Cannot write to the store: ${String(error)}`, { cause: error });
}
