import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { privateFileMode, privateFolderMode } from '../../util/atomic-file.ts';
import { errorCode } from '../../util/error-code.ts';
import { KnownAddresses } from './known-addresses.ts';
import { KnownPeers } from './known-peers.ts';
import { migrations } from './migrations.ts';
import { StateError } from './state-error.ts';
import { VisitorRequests } from './visitor-requests.ts';

export const stateFileName = 'state.sqlite';
/** Says who holds the data folder; the lock itself is SQLite's, and ends with the process whatever kills it. */
export const pidFileName = 'daemon.pid';

/**
 * What the daemon remembers: pinned keys and friends, visitors who knocked, addresses that worked.
 *
 * Calls are synchronous: the rows are few and tiny. The database is locked for as long as it is open, so a data folder has
 * one daemon; a friend that was acknowledged survives a power cut (`synchronous=FULL`).
 */
export class StateStore implements Disposable {
  readonly peers: KnownPeers;
  readonly requests: VisitorRequests;
  readonly addresses: KnownAddresses;
  readonly #database: DatabaseSync;
  readonly #pidFile: string;

  /** @throws {StateError} */
  static open(folder: string): StateStore {
    return new StateStore(folder);
  }

  private constructor(folder: string) {
    const file = join(folder, stateFileName);
    this.#pidFile = join(folder, pidFileName);
    this.#database = openLocked(folder, file, this.#pidFile);
    try {
      migrate(this.#database, file);
      writeFileSync(this.#pidFile, `${process.pid}\n`, { mode: privateFileMode });
    } catch (error) {
      this.#database.close();
      throw error;
    }
    this.peers = new KnownPeers(this.#database);
    this.requests = new VisitorRequests(this.#database);
    this.addresses = new KnownAddresses(this.#database);
  }

  /** All of `work`'s changes or, when it throws, none. Must not be nested, and `work` must not wait for anything. */
  transaction<T>(work: () => T): T {
    return transaction(this.#database, work);
  }

  [Symbol.dispose](): void {
    if (!this.#database.isOpen) return;
    // While the lock is held: after it, the file may be the next daemon's.
    rmSync(this.#pidFile, { force: true });
    this.#database.close();
  }
}

/** SQLite's result codes, in the low byte (https://www.sqlite.org/rescode.html). */
const sqliteBusy = 5;
const sqliteCodeMask = 0xff;

function openLocked(folder: string, file: string, pidFile: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: privateFolderMode });
    createPrivateFile(file);
    database = new DatabaseSync(file, { timeout: 0, enableForeignKeyConstraints: true });
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    // The lock is taken at the first transaction.
    database.exec('BEGIN EXCLUSIVE; COMMIT;');
    return database;
  } catch (cause) {
    database?.close();
    if (isBusy(cause)) throw inUse(folder, pidFile, cause);
    throw new StateError(
      'unreadable',
      `Cannot open ${file}: ${cause instanceof Error ? cause.message : String(cause)}. ` +
        'Check that the data folder is yours and its disk is not full; if the file is damaged, restore it from a backup or move it away (friends are then gone)',
      { cause },
    );
  }
}

/** Made before SQLite would, with its own mode; its journal inherits the mode. A file that is there is not opened: closing it would drop SQLite's lock. */
function createPrivateFile(file: string): void {
  try {
    closeSync(openSync(file, 'wx', privateFileMode));
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    chmodSync(file, privateFileMode);
  }
}

function isBusy(error: unknown): boolean {
  if (!(error instanceof Error) || !('errcode' in error)) return false;
  const { errcode } = error;
  return typeof errcode === 'number' && (errcode & sqliteCodeMask) === sqliteBusy;
}

function inUse(folder: string, pidFile: string, cause: unknown): StateError {
  const pid = readPid(pidFile);
  const holder = pid === undefined ? '' : ` (process ${pid})`;
  return new StateError(
    'in_use',
    `Another Flashback daemon${holder} uses the data folder ${folder}: stop it, or set FLASHBACK_HOME to another folder`,
    { cause },
  );
}

function readPid(pidFile: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    // It only makes the message better.
    return undefined;
  }
}

function migrate(database: DatabaseSync, file: string): void {
  const version = z.number().parse(database.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > migrations.length)
    throw new StateError(
      'newer_schema',
      `Cannot open ${file}: a newer Flashback wrote it (schema ${version}, this one knows ${migrations.length}). Update Flashback, or set FLASHBACK_HOME to another folder`,
    );
  migrations.slice(version).forEach((step, index) => {
    transaction(database, () => {
      database.exec(step);
      database.exec(`PRAGMA user_version = ${version + index + 1}`);
    });
  });
}

function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
