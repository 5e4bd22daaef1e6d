import type { Logger } from 'pino';
import { openPostgresStore } from './postgres-store.ts';
import { openSqliteStore } from './sqlite-store.ts';
import type { Store } from './store.ts';

/** The SQLite database in the relay's data folder. */
export const databaseFileName = 'relay.sqlite';

export type OpenStoreOptions = { readonly log: Logger } & (
  | { readonly sqliteFile: string }
  /** `postgres://…` */
  | { readonly databaseUrl: string }
);

/** Opens the store that the operator chose, with its schema brought up to date. */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  if ('sqliteFile' in options) return openSqliteStore({ file: options.sqliteFile, log: options.log });
  return openPostgresStore(options);
}
