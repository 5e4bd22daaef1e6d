import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteStore } from '../sqlite-store.ts';
import { silentLog } from './silent-log.ts';
import type { StoreFixture } from './store-fixture.ts';

export interface SqliteFixture extends StoreFixture {
  readonly folder: string;
  readonly file: string;
}

export async function makeSqliteFixture(): Promise<SqliteFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'flashback-store-'));
  const file = join(folder, 'relay.sqlite');
  return {
    folder,
    file,
    open: () => openSqliteStore({ file, log: silentLog }),
    async pretendNewerSchema(version) {
      using database = new DatabaseSync(file);
      database.prepare('INSERT INTO schema_migrations VALUES (?, ?, ?)').run(version, 'from the future', 0);
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true });
    },
  };
}
