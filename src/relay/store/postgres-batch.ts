import type { ClientBase } from 'pg';
import type { Outcome } from './batch-queue.ts';
import { deleteBroadcasts, deleteExpired, putBroadcasts } from './postgres-broadcasts.ts';
import { asStoreError, isValueError } from './postgres-errors.ts';
import { addCertificates, registerClients } from './postgres-registrations.ts';
import type { BroadcastRecord, CertificateAddition, Registration } from './store.ts';
import type { WriteOperation } from './write-operation.ts';

/**
 * Applies a batch of writes with a statement or two for each kind that is in it.
 *
 * Kinds go in the order in which they can depend on each other (a client, its certificates, its broadcast), and of
 * several writes of one client's broadcast only the last is made; together this has the effect of the calls in their
 * order.
 *
 * @param isRepeated an earlier attempt at this batch may have been committed; all of it can be done again
 */
export async function applyBatch(
  client: ClientBase,
  operations: readonly WriteOperation[],
  isRepeated: boolean,
): Promise<readonly Outcome[]> {
  const batch = sortByKind(operations);
  const outcomes: Outcome[] = Array.from({ length: operations.length });
  await applyEach(batch.registrations, outcomes, (values) => registerClients(client, values, isRepeated));
  await applyEach(batch.additions, outcomes, (values) => addCertificates(client, values));
  await applyEach(batch.puts, outcomes, (values) => putBroadcasts(client, values));
  await applyEach(batch.deletions, outcomes, (values) => deleteBroadcasts(client, values));
  for (const { indexes, value: nowMs } of batch.expirations) {
    const value = await deleteExpired(client, nowMs);
    for (const index of indexes) outcomes[index] = { value };
  }
  return outcomes;
}

/** A value to write, and the operations (by their index in the batch) that get the outcome. */
interface Write<T> {
  readonly indexes: readonly number[];
  readonly value: T;
}

interface BatchByKind {
  readonly registrations: readonly Write<Registration>[];
  readonly additions: readonly Write<CertificateAddition>[];
  readonly puts: readonly Write<BroadcastRecord>[];
  readonly deletions: readonly Write<string>[];
  readonly expirations: readonly Write<number>[];
}

function sortByKind(operations: readonly WriteOperation[]): BatchByKind {
  const registrations: Write<Registration>[] = [];
  const additions: Write<CertificateAddition>[] = [];
  const expirations: Write<number>[] = [];
  const lastById = new Map<string, { readonly indexes: number[]; broadcast: BroadcastRecord | undefined }>();
  const replace = (clientId: string, index: number, broadcast: BroadcastRecord | undefined): void => {
    const last = lastById.get(clientId);
    if (last === undefined) {
      lastById.set(clientId, { indexes: [index], broadcast });
      return;
    }
    last.indexes.push(index);
    last.broadcast = broadcast;
  };

  for (const [index, operation] of operations.entries()) {
    if (operation.kind === 'put-broadcast') replace(operation.broadcast.clientId, index, operation.broadcast);
    else if (operation.kind === 'delete-broadcast') replace(operation.clientId, index, undefined);
    else if (operation.kind === 'register-client') {
      registrations.push({ indexes: [index], value: operation.registration });
    } else if (operation.kind === 'add-certificate')
      additions.push({ indexes: [index], value: operation.addition });
    else expirations.push({ indexes: [index], value: operation.nowMs });
  }

  const puts: Write<BroadcastRecord>[] = [];
  const deletions: Write<string>[] = [];
  for (const [clientId, { indexes, broadcast }] of lastById) {
    if (broadcast === undefined) deletions.push({ indexes, value: clientId });
    else puts.push({ indexes, value: broadcast });
  }
  return { registrations, additions, puts, deletions, expirations };
}

/**
 * Applies writes of one kind together. When the server finds fault with a value it refuses them all, and each half is
 * tried again until the one to blame is alone.
 */
async function applyEach<T>(
  writes: readonly Write<T>[],
  outcomes: Outcome[],
  apply: (values: readonly T[]) => Promise<readonly Outcome[]>,
): Promise<void> {
  if (writes.length === 0) return;
  try {
    const applied = await apply(writes.map((write) => write.value));
    for (const [position, write] of writes.entries()) settle(write, outcomes, applied[position]);
  } catch (error) {
    if (!isValueError(error)) throw error;
    const [only] = writes;
    if (writes.length === 1 && only !== undefined) {
      settle(only, outcomes, { error: asStoreError(error, 'Cannot write to the database') });
      return;
    }
    const middle = Math.ceil(writes.length / 2);
    await applyEach(writes.slice(0, middle), outcomes, apply);
    await applyEach(writes.slice(middle), outcomes, apply);
  }
}

function settle<T>(write: Write<T>, outcomes: Outcome[], outcome: Outcome): void {
  for (const index of write.indexes) outcomes[index] = outcome;
}
