import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { privateFileMode, privateFolderMode } from '../../util/atomic-file.ts';
import type { Migration } from './migrations/migration.ts';
import { migrations, pendingMigrations } from './migrations/migrations.ts';
import { StoreError } from './store-error.ts';

/**
 * 16 MiB of WAL between checkpoints. A page that many broadcasts changed meanwhile is then copied once: 12.5 µs per
 * broadcast of 50,000 random clients, against 15.5 at SQLite's default of 1,000 pages and 11.4 at 8,000.
 */
const checkpointPages = 4_000;

/** The broadcasts of 100,000 clients and the upper levels of every index; filled only as far as it is used. */
const cacheKibibytes = 32_768;

/** What a WAL that grew during a long backup is cut back to. */
const walBytesMax = 64 * 2 ** 20;

/** How long a write waits for an operator who writes to the database at the same time. */
export const busyTimeoutMs = 5_000;

/** SQLite's primary result code for a lock held by another connection. */
const sqliteBusy = 5;

export interface OpenDatabase {
  readonly database: DatabaseSync;
  readonly schemaVersion: number;
  readonly close: () => void;
}

/**
 * Opens a database for this process alone, makes it (0600) when it is not there, and brings its schema up to date.
 * For the worker thread: everything here blocks.
 *
 * WAL, so that a backup or an operator's `sqlite3` can read while the relay writes.
 *
 * @throws StoreError `store_locked`, `store_schema_newer`
 */
export function openDatabase(file: string, steps: readonly Migration[] = migrations): OpenDatabase {
  mkdirSync(dirname(file), { recursive: true, mode: privateFolderMode });
  using undo = new DisposableStack();
  undo.adopt(lockFor(file), (lock) => lock.close());
  makePrivate(file);
  const database = undo.adopt(new DatabaseSync(file, { timeout: busyTimeoutMs }), (database) =>
    database.close(),
  );
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${checkpointPages};
    PRAGMA cache_size = -${cacheKibibytes};
    PRAGMA journal_size_limit = ${walBytesMax};
  `);
  const schemaVersion = migrate(database, file, steps);
  const opened = undo.move();
  return { database, schemaVersion, close: () => opened.dispose() };
}

/**
 * Takes the database for this process. The lock is an operating-system lock that SQLite takes on a file of its own,
 * so it ends with the process however that ends, and the database itself stays readable for others.
 */
function lockFor(file: string): DatabaseSync {
  const lockFile = `${file}.lock`;
  makePrivate(lockFile);
  const lock = new DatabaseSync(lockFile, { timeout: 0 });
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (resultCode(error) !== sqliteBusy) throw error;
    throw new StoreError(
      'store_locked',
      `Cannot open the relay's data folder ${dirname(file)}: another relay has it open. ` +
        'Stop that relay, or give this one a data folder of its own.',
      { cause: error },
    );
  }
}

/** SQLite gives its side files the mode of the database, which holds e-mail addresses. */
function makePrivate(file: string): void {
  try {
    // Only ever when the file is new: closing a second handle of an open one would drop this process's locks on it
    // (POSIX).
    closeSync(openSync(file, 'wx', privateFileMode));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** @returns the schema version afterwards */
function migrate(database: DatabaseSync, file: string, steps: readonly Migration[]): number {
  database.exec('BEGIN IMMEDIATE');
  try {
    database.exec(`
      CREATE TABLE IF NOT EXISTS schema_migrations (
        version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at_ms INTEGER NOT NULL
      ) STRICT;
    `);
    let version = Number(
      database.prepare('SELECT coalesce(max(version), 0) AS version FROM schema_migrations').get()?.[
        'version'
      ],
    );
    const record = database.prepare('INSERT INTO schema_migrations VALUES (?, ?, ?)');
    for (const migration of pendingMigrations(version, file, steps)) {
      database.exec(migration.sqlite);
      record.run(migration.version, migration.name, Date.now());
      version = migration.version;
    }
    database.exec('COMMIT');
    return version;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** The primary SQLite result code of an error from node:sqlite, `undefined` for other errors. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number')
    return undefined;
  // The bits above tell variants of one error apart.
  return error.errcode & 0xff;
}
