import { Pool, type PoolClient } from 'pg';
import type { Logger } from 'pino';
import { Backoff } from '../../util/backoff.ts';
import { sleep } from '../../util/deadline.ts';
import { BatchQueue } from './batch-queue.ts';
import { applyBatch } from './postgres-batch.ts';
import { asStoreError, isTransient } from './postgres-errors.ts';
import { loadPage } from './postgres-loader.ts';
import { migratePostgres } from './postgres-schema.ts';
import { answerWithin } from './probe-answer.ts';
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
import { checkBroadcast, checkCertificate, checkId, checkRegistration } from './text-check.ts';
import { operationBytes, type WriteOperation } from './write-operation.ts';

/** Writes use one connection at a time; the others are for probes and loading. */
const connectionsMax = 4;
/** A server that takes longer to accept a connection is as good as away. */
const connectTimeoutMs = 5_000;
/** The server gives up a statement after this: the largest batch takes a fraction of a second. */
const statementTimeoutMsDefault = 10_000;
/** We give up a connection this much later, when even the server's giving up has not arrived. */
const queryTimeoutExtraMs = 5_000;
/** How long a call is tried again while the server is away: a restart takes two or three seconds. */
const retryTimeoutMsDefault = 10_000;
/** How long a relay that starts together with its database waits for it. */
const startTimeoutMsDefault = 30_000;
const backoffDelays = { firstMs: 50, maxMs: 1_000 };

export interface PostgresStoreOptions {
  /** `postgres://user@host/database`, with what libpq knows after `?`. Never logged: it may hold a password. */
  readonly databaseUrl: string;
  readonly log: Logger;
  readonly statementTimeoutMs?: number;
  readonly retryTimeoutMs?: number;
  readonly startTimeoutMs?: number;
}

/**
 * Connects to PostgreSQL (14 or newer), waiting a while for a server that is still starting, and brings the schema up
 * to date.
 *
 * @throws StoreError `store_schema_newer`, `store_unsupported`, or `store_unavailable` when the server refuses or
 *   does not answer
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { databaseUrl, log } = options;
  const { retryTimeoutMs = retryTimeoutMsDefault, statementTimeoutMs = statementTimeoutMsDefault } = options;
  const connect = { connectionString: databaseUrl, connectionTimeoutMillis: connectTimeoutMs };
  const schemaVersion = await persistently(
    { action: 'Cannot open the database', timeoutMs: options.startTimeoutMs ?? startTimeoutMsDefault, log },
    () => migratePostgres(connect),
  );
  return new PostgresStore({ ...connect, retryTimeoutMs, statementTimeoutMs, log, schemaVersion });
}

/**
 * One batch of writes is under way at a time, in one round trip for each kind of write; the next is what arrived
 * meanwhile.
 */
class PostgresStore implements Store {
  readonly engine = 'postgres';
  readonly schemaVersion: number;
  readonly #pool: Pool;
  readonly #log: Logger;
  readonly #retryTimeoutMs: number;
  readonly #writes = new BatchQueue<WriteOperation>({
    commit: (operations) => this.#commit(operations),
    bytesOf: operationBytes,
  });
  /** What new calls are refused with, once the store is closing or closed. */
  #refusal: StoreError | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: {
    readonly connectionString: string;
    readonly connectionTimeoutMillis: number;
    readonly retryTimeoutMs: number;
    readonly statementTimeoutMs: number;
    readonly log: Logger;
    readonly schemaVersion: number;
  }) {
    this.schemaVersion = options.schemaVersion;
    this.#log = options.log;
    this.#retryTimeoutMs = options.retryTimeoutMs;
    this.#pool = new Pool({
      connectionString: options.connectionString,
      connectionTimeoutMillis: options.connectionTimeoutMillis,
      max: connectionsMax,
      application_name: 'flashback-relay',
      keepAlive: true,
      statement_timeout: options.statementTimeoutMs,
      idle_in_transaction_session_timeout: options.statementTimeoutMs,
      query_timeout: options.statementTimeoutMs + queryTimeoutExtraMs,
    });
    // An idle connection that was lost; the pool makes another when it needs one.
    this.#pool.on('error', (error) => this.#log.warn({ err: error }, 'database connection lost'));
    // One that is lost in use fails its query, and says so here as well.
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
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
    for (let afterId: string | undefined; ; ) {
      const page = await this.#persistently('Cannot read the database', () =>
        this.#withClient((client) => loadPage(client, afterId, nowMs)),
      );
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      afterId = last.client.clientId;
    }
  }

  async backup(): Promise<void> {
    throw new StoreError(
      'store_backup_refused',
      'Cannot back up a PostgreSQL database from here: use pg_dump, which does it while the relay runs.',
    );
  }

  async probe(options: ProbeOptions): Promise<void> {
    const answer = this.#withClient((client) => client.query('SELECT 1'));
    try {
      await answerWithin(answer, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw asStoreError(error, 'The database does not answer');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#refusal === undefined) {
      this.#refusal = new StoreError('store_closed', 'Cannot use the store: it is closed.');
      this.#closing = this.#writes.close(this.#refusal).then(() => this.#pool.end());
    }
    await this.#closing;
  }

  #commit(operations: readonly WriteOperation[]): ReturnType<typeof applyBatch> {
    return this.#persistently('Cannot write to the database', (attempt) =>
      this.#withClient((client) => applyBatch(client, operations, attempt > 1), true),
    );
  }

  #persistently<T>(action: string, work: (attempt: number) => Promise<T>): Promise<T> {
    return persistently({ action, timeoutMs: this.#retryTimeoutMs, log: this.#log }, work);
  }

  async #withClient<T>(work: (client: PoolClient) => Promise<T>, isFinishing = false): Promise<T> {
    if (this.#refusal !== undefined && !isFinishing) throw this.#refusal;
    const client = await this.#pool.connect();
    let error: unknown;
    try {
      return await work(client);
    } catch (thrown) {
      error = thrown;
      throw thrown;
    } finally {
      // After an error nobody knows what the connection is in the middle of.
      client.release(error !== undefined);
    }
  }
}

interface Persistence {
  /** `Cannot …`, for errors. */
  readonly action: string;
  readonly timeoutMs: number;
  readonly log: Logger;
}

/**
 * Does something again, with backoff, as long as only the server's absence is in the way and time is left.
 *
 * @param work is told which attempt it is, from 1
 * @throws StoreError
 */
async function persistently<T>(
  { action, timeoutMs, log }: Persistence,
  work: (attempt: number) => Promise<T>,
): Promise<T> {
  const backoff = new Backoff(backoffDelays);
  const deadlineMs = performance.now() + timeoutMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (!isTransient(error) || performance.now() >= deadlineMs) throw asStoreError(error, action);
      log.warn({ err: error, attempt }, 'database away, trying again');
      await sleep(backoff.nextMs());
    }
  }
}
