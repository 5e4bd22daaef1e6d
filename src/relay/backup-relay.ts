import { join } from 'node:path';
import { databaseFileName } from './store/open-store.ts';
import { backUpDatabase } from './store/sqlite-backup.ts';

/**
 * Copies the SQLite database of a relay, running or not, to `target`, which must not exist. To restore, start a relay
 * whose data folder holds the copy as `relay.sqlite`; people's URLs stay good when `relay.key` and `relay.crt` are in it, too.
 *
 * @throws StoreError `store_backup_refused`
 */
export async function backupRelay(dataFolder: string, target: string): Promise<void> {
  await backUpDatabase(join(dataFolder, databaseFileName), target);
}
