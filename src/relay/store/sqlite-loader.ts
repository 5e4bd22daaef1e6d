import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { BroadcastRow, LoadedPage } from './sqlite-protocol.ts';
import type { CertificateRecord, ClientRecord } from './store.ts';

/** About 1 MB with their certificates: a few milliseconds for either thread. */
const pageClientsMax = 500;

/** Reads the database page by page, in the order in which clients registered. */
export class SqliteLoader {
  readonly #lastKey: StatementSync;
  readonly #clients: StatementSync;
  readonly #certificates: StatementSync;
  readonly #broadcasts: StatementSync;

  constructor(database: DatabaseSync) {
    this.#lastKey = database.prepare(`
      SELECT max(client_key) AS lastKey FROM (
        SELECT client_key FROM clients WHERE client_key > ? ORDER BY client_key LIMIT ${pageClientsMax}
      )`);
    this.#clients = database.prepare(`
      SELECT client_id AS clientId, email, created_at_ms AS createdAtMs
      FROM clients WHERE client_key > ? AND client_key <= ? ORDER BY client_key`);
    this.#certificates = database.prepare(`
      SELECT fingerprint, client_id AS clientId, pem, not_after_ms AS notAfterMs, added_at_ms AS addedAtMs
      FROM certificates JOIN clients USING (client_key)
      WHERE client_key > ? AND client_key <= ? ORDER BY certificate_key`);
    this.#broadcasts = database.prepare(`
      SELECT client_id AS clientId, broadcast_id AS broadcastId, port, addresses, observed_address AS observedAddress,
        announce, visible_to AS visibleTo, capabilities, ready_at_ms AS readyAtMs, expires_at_ms AS expiresAtMs
      FROM broadcasts JOIN clients USING (client_key)
      WHERE client_key > ? AND client_key <= ? AND expires_at_ms > ?`);
  }

  /** The clients whose keys follow `afterKey` (0 for the first page); `undefined` when there are no more. */
  loadPage(afterKey: number, nowMs: number): LoadedPage | undefined {
    const lastKey = this.#lastKey.get(afterKey)?.['lastKey'];
    if (typeof lastKey !== 'number') return undefined;
    // The columns of STRICT tables, named as the records' fields above: this is where rows become records.
    return {
      lastKey,
      clients: this.#clients.all(afterKey, lastKey) as unknown as ClientRecord[],
      certificates: this.#certificates.all(afterKey, lastKey) as unknown as CertificateRecord[],
      broadcasts: this.#broadcasts.all(afterKey, lastKey, nowMs) as unknown as BroadcastRow[],
    };
  }
}
