import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { resultCode } from './sqlite-database.ts';
import {
  type BatchReply,
  durability,
  type FlatBatch,
  type IndexedOutcome,
  operationCode,
  type WorkerError,
} from './sqlite-protocol.ts';
import type { CertificateAdditionResult, RegistrationResult } from './store.ts';

const sqliteConstraint = 19;

/**
 * Applies batches of writes, each in one transaction.
 *
 * Durability is chosen per batch by `PRAGMA synchronous`, which takes effect between transactions. With NORMAL a
 * commit in WAL mode is a plain write: safe against the end of the process, not against power loss. With FULL the
 * commit also flushes the WAL file before it returns. Because a flush covers the whole file, everything committed
 * before under NORMAL is on the disk as well by then, so recovery, which reads the WAL from its start to the first
 * frame that does not check out, reaches every FULL commit. Checkpoints flush the WAL before they write to the
 * database in both modes. Hence one connection and one file serve both needs; a batch that holds a registration is
 * FULL, and the broadcasts in it get that for free.
 */
export class SqliteWriter {
  readonly #database: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #putBroadcast: StatementSync;
  readonly #deleteBroadcast: StatementSync;
  readonly #deleteExpired: StatementSync;
  readonly #clientKeyById: StatementSync;
  readonly #clientByEmail: StatementSync;
  readonly #clientKeyByFingerprint: StatementSync;
  readonly #insertClient: StatementSync;
  readonly #insertCertificate: StatementSync;
  #isDisk: boolean | undefined;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commit = database.prepare('COMMIT');
    this.#putBroadcast = database.prepare(`
      INSERT INTO broadcasts (client_key, broadcast_id, port, addresses, observed_address, announce, visible_to, capabilities, ready_at_ms, expires_at_ms)
      SELECT client_key, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM clients WHERE client_id = ?1
      ON CONFLICT (client_key) DO UPDATE SET
        broadcast_id = excluded.broadcast_id, port = excluded.port, addresses = excluded.addresses,
        observed_address = excluded.observed_address, announce = excluded.announce,
        visible_to = excluded.visible_to, capabilities = excluded.capabilities,
        ready_at_ms = excluded.ready_at_ms, expires_at_ms = excluded.expires_at_ms`);
    this.#deleteBroadcast = database.prepare(
      'DELETE FROM broadcasts WHERE client_key = (SELECT client_key FROM clients WHERE client_id = ?)',
    );
    this.#deleteExpired = database.prepare(`
      DELETE FROM broadcasts WHERE expires_at_ms <= ?
      RETURNING (SELECT client_id FROM clients WHERE clients.client_key = broadcasts.client_key) AS clientId, broadcast_id AS broadcastId`);
    this.#clientKeyById = database.prepare('SELECT client_key FROM clients WHERE client_id = ?');
    this.#clientByEmail = database.prepare('SELECT client_key, client_id FROM clients WHERE email = ?');
    this.#clientKeyByFingerprint = database.prepare(
      'SELECT client_key FROM certificates WHERE fingerprint = ?',
    );
    this.#insertClient = database.prepare(
      'INSERT INTO clients (client_id, email, created_at_ms) VALUES (?, ?, ?)',
    );
    this.#insertCertificate = database.prepare(
      'INSERT INTO certificates (fingerprint, client_key, pem, not_after_ms, added_at_ms) VALUES (?, ?, ?, ?, ?)',
    );
  }

  /** Never throws: a failure of the whole batch is an answer too, and nothing of it has taken effect then. */
  applyBatch(flat: FlatBatch): BatchReply {
    try {
      this.#chooseDurability(flat[0] === durability.disk);
      this.#begin.run();
      const outcomes = this.#applyOperations(flat);
      this.#commit.run();
      return outcomes.length === 0 ? null : { outcomes };
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      return {
        failed: { code: 'store_unavailable', message: `Cannot write to the database: ${String(error)}` },
      };
    }
  }

  #chooseDurability(isDisk: boolean): void {
    if (this.#isDisk === isDisk) return;
    this.#database.exec(isDisk ? 'PRAGMA synchronous = FULL' : 'PRAGMA synchronous = NORMAL');
    this.#isDisk = isDisk;
  }

  #applyOperations(flat: FlatBatch): IndexedOutcome[] {
    const outcomes: IndexedOutcome[] = [];
    const reader = new FlatReader(flat, 1);
    for (let index = 0; !reader.isAtEnd(); index++) {
      const code = reader.number();
      try {
        const value = this.#applyOperation(code, reader);
        if (value !== undefined) outcomes.push({ index, value });
      } catch (error) {
        // The statement alone was undone. When the engine gave up the transaction (disk full, input or output error),
        // or the batch itself cannot be read, there is nothing to go on with.
        const isOfOneOperation = resultCode(error) !== undefined || error instanceof UnknownClientError;
        if (!this.#database.isTransaction || !isOfOneOperation) throw error;
        outcomes.push({ index, error: describeFailure(error) });
      }
    }
    return outcomes;
  }

  /** All fields are read before anything runs, so a statement that fails leaves the reader at the next operation. */
  #applyOperation(code: number, reader: FlatReader): unknown {
    switch (code) {
      case operationCode.putBroadcast: {
        const { changes } = this.#putBroadcast.run(
          reader.string(),
          reader.string(),
          reader.number(),
          reader.string(),
          reader.string(),
          reader.string(),
          reader.string(),
          reader.string(),
          reader.number(),
          reader.number(),
        );
        if (changes === 0) throw new UnknownClientError();
        return undefined;
      }
      case operationCode.deleteBroadcast:
        this.#deleteBroadcast.run(reader.string());
        return undefined;
      case operationCode.registerClient:
        return this.#registerClient(
          reader.string(),
          reader.string(),
          reader.string(),
          reader.string(),
          reader.number(),
          reader.number(),
        );
      case operationCode.addCertificate:
        return this.#addCertificate(
          reader.string(),
          reader.string(),
          reader.string(),
          reader.number(),
          reader.number(),
        );
      case operationCode.deleteExpired:
        return this.#deleteExpired.all(reader.number());
      default:
        throw new Error(`Cannot apply a batch: operation code ${code} is not known`);
    }
  }

  #registerClient(
    clientId: string,
    email: string,
    fingerprint: string,
    pem: string,
    notAfterMs: number,
    nowMs: number,
  ): RegistrationResult {
    const emailOwner = this.#clientByEmail.get(email);
    const certificateOwner = this.#clientKeyByFingerprint.get(fingerprint);
    if (emailOwner !== undefined) {
      return emailOwner['client_key'] === certificateOwner?.['client_key']
        ? { kind: 'already', clientId: String(emailOwner['client_id']) }
        : { kind: 'email-taken' };
    }
    if (certificateOwner !== undefined) return { kind: 'certificate-taken' };

    // Two statements, kept or undone together: other operations of the batch go on when these fail.
    this.#database.exec('SAVEPOINT registration');
    try {
      const { lastInsertRowid: clientKey } = this.#insertClient.run(clientId, email, nowMs);
      this.#insertCertificate.run(fingerprint, clientKey, pem, notAfterMs, nowMs);
      this.#database.exec('RELEASE registration');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK TO registration; RELEASE registration');
      throw error;
    }
    return { kind: 'registered', clientId };
  }

  #addCertificate(
    clientId: string,
    fingerprint: string,
    pem: string,
    notAfterMs: number,
    nowMs: number,
  ): CertificateAdditionResult {
    const clientKey = this.#clientKeyById.get(clientId)?.['client_key'];
    if (clientKey === undefined) throw new UnknownClientError();
    const ownerKey = this.#clientKeyByFingerprint.get(fingerprint)?.['client_key'];
    if (ownerKey !== undefined) return { kind: ownerKey === clientKey ? 'added' : 'certificate-taken' };
    this.#insertCertificate.run(fingerprint, clientKey, pem, notAfterMs, nowMs);
    return { kind: 'added' };
  }
}

class UnknownClientError extends Error {}

/** Walks a flat batch field by field. */
class FlatReader {
  readonly #flat: FlatBatch;
  #offset: number;

  constructor(flat: FlatBatch, offset: number) {
    this.#flat = flat;
    this.#offset = offset;
  }

  isAtEnd(): boolean {
    return this.#offset >= this.#flat.length;
  }

  string(): string {
    const field = this.#flat[this.#offset++];
    if (typeof field !== 'string')
      throw new TypeError(`Cannot read a batch: field ${this.#offset - 1} is no string`);
    return field;
  }

  number(): number {
    const field = this.#flat[this.#offset++];
    if (typeof field !== 'number')
      throw new TypeError(`Cannot read a batch: field ${this.#offset - 1} is no number`);
    return field;
  }
}

function describeFailure(error: unknown): WorkerError {
  if (error instanceof UnknownClientError) {
    return {
      code: 'store_unknown_client',
      message: 'Cannot write to the database: there is no client with this id',
    };
  }
  if (resultCode(error) === sqliteConstraint) {
    return { code: 'store_bad_value', message: `Cannot write to the database: ${String(error)}` };
  }
  return { code: 'store_unavailable', message: `Cannot write to the database: ${String(error)}` };
}
