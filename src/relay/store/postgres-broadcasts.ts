import type { ClientBase } from 'pg';
import type { Outcome } from './batch-queue.ts';
import { knownClients, unknownClient } from './postgres-registrations.ts';
import type { BroadcastRecord, ExpiredBroadcast } from './store.ts';

/**
 * Stores broadcasts of different clients with one statement; the rows are taken in one order by every relay, so that
 * two of them cannot wait for each other.
 */
export async function putBroadcasts(
  client: ClientBase,
  broadcasts: readonly BroadcastRecord[],
): Promise<Outcome[]> {
  const { rowCount } = await client.query(putText, [JSON.stringify(broadcasts.map(asRow))]);
  const outcomes: Outcome[] = Array.from({ length: broadcasts.length });
  if (rowCount === broadcasts.length) return outcomes;
  const known = await knownClients(
    client,
    broadcasts.map(({ clientId }) => clientId),
  );
  return broadcasts.map(({ clientId }) =>
    known.has(clientId) ? undefined : { error: unknownClient(clientId) },
  );
}

const putText = `
  INSERT INTO broadcasts
    (client_id, broadcast_id, port, addresses, observed_address, announce, visible_to, capabilities, ready_at_ms, expires_at_ms)
  SELECT client_id, broadcast_id, port, addresses, observed_address, announce, visible_to, capabilities, ready_at_ms, expires_at_ms
  FROM json_to_recordset($1) AS input (
    client_id uuid, broadcast_id uuid, port integer, addresses jsonb, observed_address text, announce text,
    visible_to jsonb, capabilities jsonb, ready_at_ms bigint, expires_at_ms bigint
  ) JOIN clients USING (client_id)
  ORDER BY client_id
  ON CONFLICT (client_id) DO UPDATE SET
    broadcast_id = excluded.broadcast_id, port = excluded.port, addresses = excluded.addresses,
    observed_address = excluded.observed_address, announce = excluded.announce, visible_to = excluded.visible_to,
    capabilities = excluded.capabilities, ready_at_ms = excluded.ready_at_ms, expires_at_ms = excluded.expires_at_ms`;

function asRow(broadcast: BroadcastRecord): Record<string, unknown> {
  return {
    client_id: broadcast.clientId,
    broadcast_id: broadcast.broadcastId,
    port: broadcast.port,
    addresses: broadcast.addresses,
    observed_address: broadcast.observedAddress,
    announce: broadcast.announce,
    visible_to: broadcast.visibleTo,
    capabilities: broadcast.capabilities,
    ready_at_ms: broadcast.readyAtMs,
    expires_at_ms: broadcast.expiresAtMs,
  };
}

export async function deleteBroadcasts(client: ClientBase, clientIds: readonly string[]): Promise<Outcome[]> {
  await client.query(
    `DELETE FROM broadcasts WHERE client_id IN (
       SELECT client_id FROM broadcasts WHERE client_id = ANY ($1::uuid[]) ORDER BY client_id FOR UPDATE
     )`,
    [clientIds],
  );
  return Array.from({ length: clientIds.length });
}

/** Leaves alone what another relay is writing at this moment: that is a refresh. */
export async function deleteExpired(client: ClientBase, nowMs: number): Promise<readonly ExpiredBroadcast[]> {
  const { rows } = await client.query<ExpiredBroadcast>(
    `DELETE FROM broadcasts WHERE client_id IN (
       SELECT client_id FROM broadcasts WHERE expires_at_ms <= $1 FOR UPDATE SKIP LOCKED
     ) RETURNING client_id AS "clientId", broadcast_id AS "broadcastId"`,
    [nowMs],
  );
  return rows;
}
