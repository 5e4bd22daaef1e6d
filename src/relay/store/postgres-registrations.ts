import type { ClientBase } from 'pg';
import type { Outcome } from './batch-queue.ts';
import type { CertificateAddition, Registration } from './store.ts';
import { StoreError } from './store-error.ts';

/**
 * Registers many clients in one transaction.
 *
 * The unique constraints decide, against other relays as well: every insert is `ON CONFLICT DO NOTHING`, which waits
 * for a transaction that is about to insert the same key and then yields to it. Who could not insert learns why from
 * a look at what is there. A client whose certificate turned out to be taken is taken back, which may free its e-mail
 * for another one of the batch: hence rounds.
 *
 * No deadlock between relays: each transaction takes e-mails in order, then fingerprints in order, and waits for
 * e-mails only while it holds no fingerprint (further rounds aside, whose deadlock PostgreSQL ends and the store
 * tries again).
 *
 * @param isRepeated the same registrations may have been committed by an attempt whose answer was lost, so a client
 *   that has the id of its registration is the one that was registered then
 */
export async function registerClients(
  client: ClientBase,
  registrations: readonly Registration[],
  isRepeated: boolean,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = Array.from({ length: registrations.length });
  let pending = registrations.map((registration, index): Candidate => ({ index, registration }));
  await client.query('BEGIN');
  try {
    for (let round = 1; pending.length > 0; round++) {
      if (round > roundsMax)
        throw new StoreError('store_unavailable', 'Cannot register: too many others are at it');
      pending = await registerRound(client, pending, outcomes, isRepeated);
    }
    await client.query('COMMIT');
    return outcomes;
  } catch (error) {
    // Fails when the connection is lost, and the transaction with it.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Each round settles everything but e-mails that were freed in it; more than a few need an odd batch indeed. */
const roundsMax = 100;

interface Candidate {
  readonly index: number;
  readonly registration: Registration;
}

/** @returns those for which another round is needed */
async function registerRound(
  client: ClientBase,
  candidates: readonly Candidate[],
  outcomes: Outcome[],
  isRepeated: boolean,
): Promise<Candidate[]> {
  const inserted = await insertClients(client, candidates);
  const certified = await insertCertificates(client, inserted);
  const uncertified = inserted.filter((candidate) => !certified.has(candidate.registration.clientId));
  for (const { index, registration } of inserted) {
    const isCertified = certified.has(registration.clientId);
    outcomes[index] = {
      value: isCertified
        ? { kind: 'registered', clientId: registration.clientId }
        : { kind: 'certificate-taken' },
    };
  }
  if (uncertified.length > 0) {
    await client.query('DELETE FROM clients WHERE client_id = ANY ($1::uuid[])', [
      uncertified.map(({ registration }) => registration.clientId),
    ]);
  }
  const won = new Set(inserted);
  const others = candidates.filter((candidate) => !won.has(candidate));
  return others.length === 0 ? [] : await explain(client, others, outcomes, isRepeated);
}

async function insertClients(client: ClientBase, candidates: readonly Candidate[]): Promise<Candidate[]> {
  const { rows } = await client.query<{ clientId: string; email: string }>(
    `INSERT INTO clients (client_id, email, created_at_ms)
     SELECT client_id, email, created_at_ms
     FROM json_to_recordset($1) AS input (client_id uuid, email text, created_at_ms bigint, position integer)
     ORDER BY email, position
     ON CONFLICT DO NOTHING
     RETURNING client_id AS "clientId", email`,
    [
      JSON.stringify(
        candidates.map(({ registration }, position) => ({
          client_id: registration.clientId,
          email: registration.email,
          created_at_ms: registration.nowMs,
          position,
        })),
      ),
    ],
  );
  // The first candidate with the values of a row is the one it came from.
  const emailById = new Map(rows.map((row) => [row.clientId, row.email]));
  return candidates.filter(({ registration }) => {
    if (emailById.get(registration.clientId) !== registration.email) return false;
    emailById.delete(registration.clientId);
    return true;
  });
}

/** @returns the ids of the clients whose certificate was free */
async function insertCertificates(
  client: ClientBase,
  candidates: readonly Candidate[],
): Promise<Set<string>> {
  if (candidates.length === 0) return new Set();
  const { rows } = await client.query<{ clientId: string }>(
    `${insertCertificatesText} RETURNING client_id AS "clientId"`,
    [certificatesJson(candidates.map(({ registration }) => registration))],
  );
  return new Set(rows.map((row) => row.clientId));
}

/** Why these could not be inserted; `pending` again when nothing stands in the way any more. */
async function explain(
  client: ClientBase,
  candidates: readonly Candidate[],
  outcomes: Outcome[],
  isRepeated: boolean,
): Promise<Candidate[]> {
  const registrations = candidates.map(({ registration }) => registration);
  const found = await client.query<{ clientId: string; email: string }>(
    `SELECT client_id AS "clientId", email FROM clients
     WHERE email = ANY ($1::text[]) OR client_id = ANY ($2::uuid[])`,
    [registrations.map(({ email }) => email), registrations.map(({ clientId }) => clientId)],
  );
  const idByEmail = new Map(found.rows.map((row) => [row.email, row.clientId]));
  const ids = new Set(found.rows.map((row) => row.clientId));
  const idByFingerprint = await certificateOwners(
    client,
    registrations.map(({ certificate }) => certificate.fingerprint),
  );
  return candidates.filter(({ index, registration: { clientId, email, certificate } }) => {
    const emailOwner = idByEmail.get(email);
    const certificateOwner = idByFingerprint.get(certificate.fingerprint);
    if (emailOwner !== undefined && emailOwner === certificateOwner) {
      const kind = isRepeated && emailOwner === clientId ? 'registered' : 'already';
      outcomes[index] = { value: { kind, clientId: emailOwner } };
    } else if (emailOwner !== undefined) outcomes[index] = { value: { kind: 'email-taken' } };
    else if (certificateOwner !== undefined) outcomes[index] = { value: { kind: 'certificate-taken' } };
    else if (ids.has(clientId)) outcomes[index] = { error: idInUse(clientId) };
    else return true;
    return false;
  });
}

function idInUse(clientId: string): StoreError {
  return new StoreError(
    'store_bad_value',
    `Cannot register a client: its id ${clientId} belongs to another one`,
  );
}

/** Adds certificates to clients that exist; each statement is a transaction of its own. */
export async function addCertificates(
  client: ClientBase,
  additions: readonly CertificateAddition[],
): Promise<Outcome[]> {
  const known = await knownClients(
    client,
    additions.map(({ clientId }) => clientId),
  );
  await client.query(insertCertificatesText, [
    certificatesJson(additions.filter(({ clientId }) => known.has(clientId))),
  ]);
  const owners = await certificateOwners(
    client,
    additions.map(({ certificate }) => certificate.fingerprint),
  );
  return additions.map(({ clientId, certificate }): Outcome => {
    if (!known.has(clientId)) return { error: unknownClient(clientId) };
    const isOwn = owners.get(certificate.fingerprint) === clientId;
    return { value: { kind: isOwn ? 'added' : 'certificate-taken' } };
  });
}

/** Which of the ids belong to clients. */
export async function knownClients(client: ClientBase, clientIds: readonly string[]): Promise<Set<string>> {
  const { rows } = await client.query<{ clientId: string }>(
    'SELECT client_id AS "clientId" FROM clients WHERE client_id = ANY ($1::uuid[])',
    [clientIds],
  );
  return new Set(rows.map((row) => row.clientId));
}

export function unknownClient(clientId: string): StoreError {
  return new StoreError(
    'store_unknown_client',
    `Cannot write to the database: there is no client ${clientId}`,
  );
}

async function certificateOwners(
  client: ClientBase,
  fingerprints: readonly string[],
): Promise<Map<string, string>> {
  const { rows } = await client.query<{ fingerprint: string; clientId: string }>(
    'SELECT fingerprint, client_id AS "clientId" FROM certificates WHERE fingerprint = ANY ($1::text[])',
    [fingerprints],
  );
  return new Map(rows.map((row) => [row.fingerprint, row.clientId]));
}

const insertCertificatesText = `
  INSERT INTO certificates (fingerprint, client_id, pem, not_after_ms, added_at_ms)
  SELECT fingerprint, client_id, pem, not_after_ms, added_at_ms
  FROM json_to_recordset($1) AS input
    (fingerprint text, client_id uuid, pem text, not_after_ms bigint, added_at_ms bigint, position integer)
  ORDER BY fingerprint, position
  ON CONFLICT DO NOTHING`;

function certificatesJson(additions: readonly CertificateAddition[]): string {
  return JSON.stringify(
    additions.map(({ clientId, certificate, nowMs }, position) => ({
      fingerprint: certificate.fingerprint,
      client_id: clientId,
      pem: certificate.pem,
      not_after_ms: certificate.notAfterMs,
      added_at_ms: nowMs,
      position,
    })),
  );
}
