import type { BroadcastRecord, CertificateRecord, ClientRecord, StoredClient } from './store.ts';

/** Puts a page's rows together by client, in the order of `clients`. */
export function joinStoredClients(
  clients: readonly ClientRecord[],
  certificates: readonly CertificateRecord[],
  broadcasts: readonly BroadcastRecord[],
): readonly StoredClient[] {
  const certificatesById = Map.groupBy(certificates, (certificate) => certificate.clientId);
  const broadcastById = new Map(broadcasts.map((broadcast) => [broadcast.clientId, broadcast]));
  return clients.map((client) => ({
    client,
    certificates: certificatesById.get(client.clientId) ?? [],
    broadcast: broadcastById.get(client.clientId),
  }));
}
