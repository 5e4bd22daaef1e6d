import { resolve } from 'node:path';
import type { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import { BatchQueue, type Outcome } from './batch-queue.ts';
import { answerWithin } from './probe-answer.ts';
import { backUpDatabase } from './sqlite-backup.ts';
import {
  type Answer,
  type BatchReply,
  type BroadcastRow,
  encodeBatch,
  type LoadedPage,
  type Question,
} from './sqlite-protocol.ts';
import { firstMessage, startSqliteThread } from './sqlite-thread.ts';
import type {
  BroadcastRecord,
  CertificateAddition,
  CertificateAdditionResult,
  ExpiredBroadcast,
  ProbeOptions,
  Registration,
  RegistrationResult,
  Store,
  StoredClient,
} from './store.ts';
import { StoreError } from './store-error.ts';
import { joinStoredClients } from './stored-client.ts';
import { checkBroadcast, checkCertificate, checkId, checkRegistration } from './text-check.ts';
import { operationBytes, type WriteOperation } from './write-operation.ts';

export interface SqliteStoreOptions {
  /** Made when it does not exist, with its folder. One process at a time may have it open. */
  readonly file: string;
  readonly log: Logger;
}

/**
 * Opens the relay's SQLite database.
 *
 * @throws StoreError `store_locked`, `store_schema_newer`, or `store_unavailable` when it cannot be read or written
 */
export async function openSqliteStore(
  { file, log }: SqliteStoreOptions,
  startThread = startSqliteThread,
): Promise<Store> {
  const thread = startThread({ kind: 'serve', file: resolve(file) });
  const message = await firstMessage(thread);
  if (message !== null && 'opened' in message) {
    return new SqliteStore({ file: resolve(file), log, thread, schemaVersion: message.opened.schemaVersion });
  }
  await thread.terminate();
  throw new StoreError('store_failed', `Cannot open ${file}: its thread began with an unknown message`);
}

/** The main thread's half: collects writes into batches for the worker, of which one at a time is under way. */
class SqliteStore implements Store {
  readonly engine = 'sqlite';
  readonly schemaVersion: number;
  readonly #file: string;
  readonly #log: Logger;
  readonly #thread: Worker;
  readonly #writes = new BatchQueue<WriteOperation>({
    commit: (operations) => this.#commit(operations),
    bytesOf: operationBytes,
  });
  readonly #questions = new Map<number, PromiseWithResolvers<unknown>>();
  #lastQuestionId = 0;
  #batch: PromiseWithResolvers<BatchReply> | undefined;
  readonly #backups = new Set<Promise<void>>();
  /** What new calls are refused with, once the store is closing, closed or failed. */
  #refusal: StoreError | undefined;
  #closing: Promise<void> | undefined;
  #isEnded = false;

  constructor(opened: SqliteStoreOptions & { readonly thread: Worker; readonly schemaVersion: number }) {
    this.#file = opened.file;
    this.#log = opened.log;
    this.#thread = opened.thread;
    this.schemaVersion = opened.schemaVersion;
    this.#thread.on('message', (message: BatchReply | Answer) => this.#receive(message));
    this.#thread.on('error', (error) => this.#fail(error));
    this.#thread.on('exit', (code) => this.#fail(new Error(`it ended with code ${code}`)));
  }

  async registerClient(registration: Registration): Promise<RegistrationResult> {
    checkRegistration(registration);
    return (await this.#writes.submit({ kind: 'register-client', registration })) as RegistrationResult;
  }

  async addCertificate(addition: CertificateAddition): Promise<CertificateAdditionResult> {
    checkCertificate(addition);
    return (await this.#writes.submit({ kind: 'add-certificate', addition })) as CertificateAdditionResult;
  }

  async putBroadcast(broadcast: BroadcastRecord): Promise<void> {
    checkBroadcast(broadcast);
    await this.#writes.submit({ kind: 'put-broadcast', broadcast });
  }

  async deleteBroadcast(clientId: string): Promise<void> {
    checkId('clientId', clientId);
    await this.#writes.submit({ kind: 'delete-broadcast', clientId });
  }

  async deleteExpiredBroadcasts(nowMs: number): Promise<readonly ExpiredBroadcast[]> {
    return (await this.#writes.submit({ kind: 'delete-expired', nowMs })) as readonly ExpiredBroadcast[];
  }

  async *loadAll(nowMs: number): AsyncGenerator<readonly StoredClient[]> {
    for (let afterKey = 0; ; ) {
      const page = (await this.#ask({ kind: 'load', afterKey, nowMs })) as LoadedPage | undefined;
      if (page === undefined) return;
      yield joinStoredClients(page.clients, page.certificates, page.broadcasts.map(readBroadcast));
      afterKey = page.lastKey;
    }
  }

  async backup(file: string): Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal;
    const backup = backUpDatabase(this.#file, resolve(file));
    this.#backups.add(backup);
    try {
      await backup;
    } finally {
      this.#backups.delete(backup);
    }
  }

  async probe(options: ProbeOptions): Promise<void> {
    await answerWithin(this.#ask({ kind: 'probe' }), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#refusal === undefined) {
      this.#refusal = new StoreError('store_closed', 'Cannot use the store: it is closed.');
      this.#closing = this.#finish(this.#refusal);
    }
    await this.#closing;
  }

  async #finish(refusal: StoreError): Promise<void> {
    await Promise.allSettled([this.#writes.close(refusal), ...this.#backups]);
    // The thread may have ended meanwhile, and nobody would answer.
    if (this.#isEnded) return;
    await this.#send({ kind: 'close' });
    this.#isEnded = true;
    await this.#thread.terminate();
  }

  async #commit(operations: readonly WriteOperation[]): Promise<readonly Outcome[] | undefined> {
    this.#batch = Promise.withResolvers();
    this.#thread.postMessage(encodeBatch(operations));
    const reply = await this.#batch.promise;
    if (reply === null) return undefined;
    if ('failed' in reply) throw new StoreError(reply.failed.code, reply.failed.message);
    const outcomes: Outcome[] = Array.from({ length: operations.length });
    for (const { index, value, error } of reply.outcomes) {
      outcomes[index] =
        error === undefined ? { value } : { error: new StoreError(error.code, error.message) };
    }
    return outcomes;
  }

  #ask(question: WithoutId<Question>): Promise<unknown> {
    return this.#refusal === undefined ? this.#send(question) : Promise.reject(this.#refusal);
  }

  #send(question: WithoutId<Question>): Promise<unknown> {
    const id = ++this.#lastQuestionId;
    const answer = Promise.withResolvers<unknown>();
    this.#questions.set(id, answer);
    this.#thread.postMessage({ ...question, id });
    return answer.promise;
  }

  #receive(message: BatchReply | Answer): void {
    if (message === null || !('id' in message)) {
      this.#batch?.resolve(message);
      return;
    }
    const answer = this.#questions.get(message.id);
    this.#questions.delete(message.id);
    if ('error' in message) answer?.reject(new StoreError(message.error.code, message.error.message));
    else answer?.resolve(message.value);
  }

  /** The thread is gone: whatever waits for it will not be answered. */
  #fail(cause: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const failure = new StoreError(
      'store_failed',
      `The thread of the database ${this.#file} is gone: ${cause instanceof Error ? cause.message : String(cause)}. ` +
        'Start the relay again.',
      { cause },
    );
    this.#refusal ??= failure;
    this.#log.error({ err: failure }, 'store failed');
    this.#writes.fail(failure);
    this.#batch?.reject(failure);
    for (const answer of this.#questions.values()) answer.reject(failure);
    this.#questions.clear();
  }
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

function readBroadcast(row: BroadcastRow): BroadcastRecord {
  // Written by encodeBatch, so they are arrays of strings.
  const addresses = JSON.parse(row.addresses) as string[];
  const visibleTo = JSON.parse(row.visibleTo) as string[];
  const capabilities = JSON.parse(row.capabilities) as string[];
  return { ...row, addresses, visibleTo, capabilities };
}
