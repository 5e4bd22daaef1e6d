import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, open, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { flushFolder, privateFileMode } from '../../util/atomic-file.ts';
import { firstMessage, startSqliteThread } from './sqlite-thread.ts';
import { StoreError } from './store-error.ts';

/**
 * Writes a consistent copy of the database `file` to `target`, also while a relay in this or another process writes
 * to it. To restore, put the copy into an empty folder under the name of a relay's database and start the relay there:
 * beside what is left of another database (its WAL) it would be damaged.
 *
 * The copy is made under a temporary name beside `target`, flushed, and only then given its name, which never
 * replaces a file.
 *
 * @throws StoreError `store_backup_refused` when `target` exists or cannot be made, or `file` does not exist
 */
export async function backUpDatabase(file: string, target: string): Promise<void> {
  if (existsSync(target)) throw refuseToReplace(target);
  const temporaryFile = join(dirname(target), `.${basename(target)}.${randomUUID()}.partial`);
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(temporaryFile, { force: true }));
  await makeEmptyFile(temporaryFile, target);

  const thread = startSqliteThread({ kind: 'back-up', file, emptyFile: temporaryFile });
  await firstMessage(thread);
  await flush(temporaryFile);
  await giveName(temporaryFile, target);
  await flushFolder(dirname(target));
}

/** Made before SQLite fills it, because SQLite would let others read it. */
async function makeEmptyFile(temporaryFile: string, target: string): Promise<void> {
  try {
    await (await open(temporaryFile, 'wx', privateFileMode)).close();
  } catch (cause) {
    throw new StoreError('store_backup_refused', `Cannot back up to ${target}: ${String(cause)}`, { cause });
  }
}

async function flush(path: string): Promise<void> {
  await using handle = await open(path, 'r+');
  await handle.sync();
}

/** A hard link, unlike a rename, fails when the name is taken meanwhile. */
async function giveName(temporaryFile: string, target: string): Promise<void> {
  try {
    await link(temporaryFile, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw refuseToReplace(target);
    throw new StoreError('store_backup_refused', `Cannot name the backup ${target}: ${String(error)}`, {
      cause: error,
    });
  }
}

function refuseToReplace(target: string): StoreError {
  return new StoreError(
    'store_backup_refused',
    `Cannot back up to ${target}: the file exists, and a backup never replaces a file. Choose another name.`,
  );
}
