import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { busyTimeoutMs } from './sqlite-database.ts';
import { StoreError } from './store-error.ts';

/**
 * Writes a consistent, compact copy of a database to an empty file. Blocks while it does.
 *
 * `VACUUM INTO` reads within one read transaction of a connection of its own: the writer goes on, in this process or
 * in another, and only the WAL grows meanwhile.
 */
export function copyDatabase(file: string, emptyFile: string): void {
  if (!existsSync(file)) {
    throw new StoreError('store_backup_refused', `Cannot back up ${file}: there is no such file.`);
  }
  // Opened for writing, because a WAL database that nobody else has open needs its index made to be read.
  using database = new DatabaseSync(file, { timeout: busyTimeoutMs });
  database.prepare('VACUUM INTO ?').run(emptyFile);
}
