import type { ClientBase } from 'pg';
import type { BroadcastRecord, CertificateRecord, ClientRecord, StoredClient } from './store.ts';
import { joinStoredClients } from './stored-client.ts';

/** About 1 MB with their certificates. */
const pageClientsMax = 500;

/**
 * The clients whose ids follow `afterId` (`undefined` for the first page), in the order of ids; none when there are
 * no more.
 */
export async function loadPage(
  client: ClientBase,
  afterId: string | undefined,
  nowMs: number,
): Promise<readonly StoredClient[]> {
  // float8 holds milliseconds exactly and arrives as a number; bigint would arrive as text.
  const clients = await client.query<ClientRecord>(
    `SELECT client_id AS "clientId", email, created_at_ms::float8 AS "createdAtMs"
     FROM clients ${afterId === undefined ? '' : 'WHERE client_id > $1'} ORDER BY client_id LIMIT ${pageClientsMax}`,
    afterId === undefined ? [] : [afterId],
  );
  const first = clients.rows.at(0)?.clientId;
  const last = clients.rows.at(-1)?.clientId;
  if (first === undefined || last === undefined) return [];
  const certificates = await client.query<CertificateRecord>(
    `SELECT fingerprint, client_id AS "clientId", pem, not_after_ms::float8 AS "notAfterMs",
       added_at_ms::float8 AS "addedAtMs"
     FROM certificates WHERE client_id BETWEEN $1 AND $2 ORDER BY client_id, added_at_ms, fingerprint`,
    [first, last],
  );
  const broadcasts = await client.query<BroadcastRecord>(
    `SELECT client_id AS "clientId", broadcast_id AS "broadcastId", port, addresses,
       observed_address AS "observedAddress", announce, visible_to AS "visibleTo", capabilities,
       ready_at_ms::float8 AS "readyAtMs", expires_at_ms::float8 AS "expiresAtMs"
     FROM broadcasts WHERE client_id BETWEEN $1 AND $2 AND expires_at_ms > $3`,
    [first, last, nowMs],
  );
  return joinStoredClients(clients.rows, certificates.rows, broadcasts.rows);
}
