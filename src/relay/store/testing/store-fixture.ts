import assert from 'node:assert/strict';
import type { Store, StoredClient } from '../store.ts';
import { StoreError, type StoreErrorCode } from '../store-error.ts';
import { testNowMs } from './records.ts';

/** An empty database of one test, removed with it. */
export interface StoreFixture extends AsyncDisposable {
  /** Opens a store on it, for the caller to dispose; again and again, as a relay that restarts does. */
  open(): Promise<Store>;
  /** Records a schema version that this program does not know, as a newer one would have left it. */
  pretendNewerSchema(version: number): Promise<void>;
}

/** Tests by their names; each gets an empty database of its own. */
export type StoreContract = Readonly<Record<string, (fixture: StoreFixture) => Promise<void>>>;

export async function loadEverything(store: Store, nowMs = testNowMs): Promise<StoredClient[]> {
  const everything: StoredClient[] = [];
  for await (const page of store.loadAll(nowMs)) everything.push(...page);
  return everything;
}

export async function loadClient(store: Store, clientId: string, nowMs = testNowMs): Promise<StoredClient> {
  const found = (await loadEverything(store, nowMs)).find(({ client }) => client.clientId === clientId);
  assert.ok(found, `client ${clientId} is stored`);
  return found;
}

/** Matches the rejection of a call for `assert.rejects`. */
export function withCode(code: StoreErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StoreError, `${String(error)} is a StoreError`);
    assert.equal(error.code, code, error.message);
    return true;
  };
}
