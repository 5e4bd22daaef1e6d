import { Client } from 'pg';
import type { TestPostgres } from '../../../../test/support/postgres.ts';
import { openPostgresStore } from '../postgres-store.ts';
import { silentLog } from './silent-log.ts';
import type { StoreFixture } from './store-fixture.ts';

export interface PostgresFixture extends StoreFixture {
  readonly url: string;
  /** Runs a statement beside the store, as another program would. */
  query(text: string): Promise<readonly Record<string, unknown>[]>;
}

export async function makePostgresFixture(postgres: TestPostgres): Promise<PostgresFixture> {
  const schema = await postgres.createSchema();
  const { url } = schema;
  const query = async (text: string): Promise<readonly Record<string, unknown>[]> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  };
  return {
    url,
    query,
    open: () => openPostgresStore({ databaseUrl: url, log: silentLog }),
    async pretendNewerSchema(version) {
      await query(`INSERT INTO schema_migrations (version, name) VALUES (${version}, 'from the future')`);
    },
    [Symbol.asyncDispose]: () => schema[Symbol.asyncDispose](),
  };
}
