import type { Store } from './store.ts';

export interface OpenStoreOptions {
  /** Holds the SQLite database when there is no `databaseUrl`. */
  readonly dataFolder: string;
  /** `postgres://…` or `postgresql://…` */
  readonly databaseUrl?: string;
}

/** Opens the engine that the settings name; the other one is not even loaded. */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { dataFolder, databaseUrl } = options;
  if (databaseUrl === undefined) {
    const { openSqliteStore } = await import('./sqlite-store.ts');
    return openSqliteStore({ dataFolder });
  }
  if (!/^postgres(?:ql)?:\/\//.test(databaseUrl))
    throw new Error('The database URL must start with postgres:// or postgresql://');
  const { openPostgresStore } = await import('./postgres-store.ts');
  return openPostgresStore({ databaseUrl });
}
