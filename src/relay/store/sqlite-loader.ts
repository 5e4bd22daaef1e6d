import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { BroadcastRow, LoadedPage } from './sqlite-protocol.ts';
import type { CertificateRecord, ClientRecord } from './store.ts';

/** About 1 MB with their certificates: a few milliseconds for either thread. */
const pageClientsMax = 500;

/** Reads the database page by page, in the order of client ids. */
export class SqliteLoader {
  readonly #clients: StatementSync;
  readonly #certificates: StatementSync;
  readonly #broadcasts: StatementSync;

  constructor(database: DatabaseSync) {
    this.#clients = database.prepare(`
      SELECT client_id AS clientId, email, created_at_ms AS createdAtMs
      FROM clients WHERE client_id > ? ORDER BY client_id LIMIT ${pageClientsMax}`);
    this.#certificates = database.prepare(`
      SELECT fingerprint, client_id AS clientId, pem, not_after_ms AS notAfterMs, added_at_ms AS addedAtMs
      FROM certificates WHERE client_id > ? AND client_id <= ? ORDER BY client_id, added_at_ms, fingerprint`);
    this.#broadcasts = database.prepare(`
      SELECT client_id AS clientId, broadcast_id AS broadcastId, port, addresses, observed_address AS observedAddress,
        announce, visible_to AS visibleTo, capabilities, ready_at_ms AS readyAtMs, expires_at_ms AS expiresAtMs
      FROM broadcasts WHERE client_id > ? AND client_id <= ? AND expires_at_ms > ?`);
  }

  /** The clients whose ids follow `afterClientId` ('' for the first page); no clients means that there are no more. */
  loadPage(afterClientId: string, nowMs: number): LoadedPage {
    // The columns of STRICT tables, named as the records' fields above: this is where rows become records.
    const clients = this.#clients.all(afterClientId) as unknown as ClientRecord[];
    const last = clients.at(-1)?.clientId;
    if (last === undefined) return { clients: [], certificates: [], broadcasts: [] };
    return {
      clients,
      certificates: this.#certificates.all(afterClientId, last) as unknown as CertificateRecord[],
      broadcasts: this.#broadcasts.all(afterClientId, last, nowMs) as unknown as BroadcastRow[],
    };
  }
}
