import { Client } from 'pg';
import type { Migration } from './migrations/migration.ts';
import { migrations, pendingMigrations } from './migrations/migrations.ts';
import { StoreError } from './store-error.ts';

/** PostgreSQL 14, the oldest that is tested against its documentation; as `server_version_num` counts. */
const serverVersionMin = 140_000;

/** "FLBK", and 1 for migrations: the advisory lock under which one relay at a time migrates. */
const migrationLock = [0x464c424b, 1] as const;

/** A large table may be rewritten, by this relay or by the one that is waited for. */
const migrationTimeoutMs = 15 * 60_000;

export interface ConnectOptions {
  readonly connectionString: string;
  readonly connectionTimeoutMillis: number;
}

/**
 * Brings the schema up to date, on a connection of its own because it may take longer than any query of a store.
 *
 * @returns the schema version afterwards
 * @throws StoreError `store_schema_newer`, or `store_unsupported` for an old server; errors of pg as they are
 */
export async function migratePostgres(
  connect: ConnectOptions,
  steps: readonly Migration[] = migrations,
): Promise<number> {
  const client = new Client({ ...connect, query_timeout: migrationTimeoutMs });
  // Without a listener, a connection lost between two queries would end the process; the next query fails anyway.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await requireServerVersion(client);
    return await migrateLocked(client, steps);
  } finally {
    await client.end();
  }
}

async function requireServerVersion(client: Client): Promise<void> {
  const { rows } = await client.query<{ number: number; text: string }>(
    `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS text`,
  );
  const [version] = rows;
  if (version !== undefined && version.number >= serverVersionMin) return;
  throw new StoreError(
    'store_unsupported',
    `Cannot use PostgreSQL ${version?.text} at ${client.host}: version ${serverVersionMin / 10_000} or newer is needed.`,
  );
}

async function migrateLocked(client: Client, steps: readonly Migration[]): Promise<number> {
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1, $2)', [...migrationLock]);
    await client.query(`
      CREATE TABLE IF NOT EXISTS schema_migrations (
        version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
      )`);
    const { rows } = await client.query<{ version: number }>(
      'SELECT coalesce(max(version), 0) AS version FROM schema_migrations',
    );
    let version = rows[0]?.version ?? 0;
    for (const step of pendingMigrations(
      version,
      `the database ${client.database} at ${client.host}`,
      steps,
    )) {
      await client.query(step.postgres);
      await client.query('INSERT INTO schema_migrations (version, name) VALUES ($1, $2)', [
        step.version,
        step.name,
      ]);
      version = step.version;
    }
    await client.query('COMMIT');
    return version;
  } catch (error) {
    // Ends the transaction with the connection when that is what was lost.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
