import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteStore } from './sqlite-store.ts';
import { silentLog } from './testing/silent-log.ts';
import { storeContract } from './testing/store-contract.ts';
import type { StoreFixture } from './testing/store-fixture.ts';

async function makeFixture(): Promise<StoreFixture & { readonly file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'flashback-store-'));
  const file = join(folder, 'relay.sqlite');
  return {
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

storeContract('SQLite', makeFixture);
