import { Client } from 'pg';
import type { TestPostgres } from '../../../../test/support/postgres.ts';
import { openPostgresStore } from '../postgres-store.ts';
import { silentLog } from './silent-log.ts';
import type { StoreFixture } from './store-fixture.ts';

export interface PostgresFixture extends StoreFixture {
  readonly url: string;
  /** Runs a statement beside the store, as another program would. */
  query(text: string): Promise<readonly Record<string, unknown>[]>;
  /** Does `work` while a transaction that has run `text` is open, then undoes that. */
  whileRunning(text: string, work: () => Promise<void>): Promise<void>;
}

export async function makePostgresFixture(postgres: TestPostgres): Promise<PostgresFixture> {
  const schema = await postgres.createSchema();
  const { url } = schema;
  const withClient = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  const query = (text: string) =>
    withClient(async (client) => (await client.query<Record<string, unknown>>(text)).rows);
  return {
    url,
    query,
    whileRunning: (text, work) =>
      withClient(async (client) => {
        await client.query(`BEGIN; ${text}`);
        await work();
      }),
    open: () => openPostgresStore({ databaseUrl: url, log: silentLog }),
    async pretendNewerSchema(version) {
      await query(`INSERT INTO schema_migrations (version, name) VALUES (${version}, 'from the future')`);
    },
    [Symbol.asyncDispose]: () => schema[Symbol.asyncDispose](),
  };
}
