import { StoreError } from '../store-error.ts';
import { tracker } from './0001-tracker.ts';
import type { Migration } from './migration.ts';

/** In order. The mailbox's tables come as the next one. */
export const migrations: readonly Migration[] = [tracker];

/**
 * The migrations that a database at `version` still lacks.
 *
 * @param version the highest migration it has, 0 for an empty database
 * @param where what to call the database in the error, such as a path
 * @throws StoreError `store_schema_newer` when it has migrations this program does not know
 */
export function pendingMigrations(
  version: number,
  where: string,
  known: readonly Migration[] = migrations,
): readonly Migration[] {
  const newest = known.at(-1)?.version ?? 0;
  if (version > newest) {
    throw new StoreError(
      'store_schema_newer',
      `Cannot open ${where}: its schema has version ${version}, and this program knows versions up to ${newest}. ` +
        'It was used by a newer Flashback: start that one, or restore a backup made before the upgrade.',
    );
  }
  return known.filter((migration) => migration.version > version);
}
