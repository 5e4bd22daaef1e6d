import { constants } from 'node:fs';
import { type FileHandle, lstat, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../../util/error-code.ts';
import { printable } from '../../util/printable.ts';
import { DownloadError, localFailure } from './download-error.ts';
import {
  type FileSource,
  type FileVersion,
  journalTouchMs,
  partialPaths,
  readJournal,
  touchJournal,
  writeJournal,
} from './journal.ts';
import { publish } from './target.ts';

/** Read once: asking sets it for a moment, under the feet of other threads. */
const umask = process.umask();
/** While it is unfinished only its owner sees it; whole, it is like any file that they make. */
const partialMode = 0o600;
const finishedMode = 0o666 & ~umask;

/** What an earlier try left behind. */
export interface LeftOver {
  readonly version: FileVersion;
  /** Bytes that are there; none of them is checked. */
  readonly bytes: number;
}

/**
 * The unfinished file beside its target, with its journal. It outlives this object and the process, and the next try
 * goes on with it; only a finished download and one that never got a byte leave nothing behind.
 */
export class Partial implements AsyncDisposable {
  /** Of the same file of the same house. */
  readonly left: LeftOver | undefined;
  /** Bytes that lie there, whosever they are. */
  readonly heldBytes: number;
  /** Bytes of another file were here, which this one replaces. */
  readonly replaces: FileSource | undefined;
  readonly #target: string;
  readonly #source: FileSource;
  #file: FileHandle | undefined;
  #touchTimer: NodeJS.Timeout | undefined;
  #hasJournal: boolean;

  private constructor(
    target: string,
    source: FileSource,
    found: {
      readonly left?: LeftOver;
      readonly replaces?: FileSource;
      readonly heldBytes?: number;
      readonly hasJournal: boolean;
    },
  ) {
    this.#target = target;
    this.#source = source;
    this.left = found.left;
    this.replaces = found.replaces;
    this.heldBytes = found.heldBytes ?? 0;
    this.#hasJournal = found.hasJournal;
  }

  /**
   * Looks at what lies beside `target`; nothing is made or changed yet.
   *
   * @throws {DownloadError} when something lies there that is not ours to overwrite, or another process is at it.
   */
  static async open(target: string, source: FileSource, nowMs: number): Promise<Partial> {
    const paths = partialPaths(target);
    try {
      const look = await readJournal(paths.journal, nowMs);
      if (look.kind === 'held')
        throw new DownloadError(
          'failed',
          `Cannot write ${printable(target)}: another program (process ${look.pid}) is downloading to it`,
        );
      if (look.kind === 'foreign') throw inTheWay(target, paths.journal);
      const bytes = await sizeOf(paths.partial);
      if (bytes === 'foreign' || (bytes !== undefined && look.kind === 'none'))
        throw inTheWay(target, paths.partial);
      if (look.kind === 'none') return new Partial(target, source, { hasJournal: false });
      const found = { heldBytes: bytes ?? 0, hasJournal: true };
      if (look.kind === 'empty') return new Partial(target, source, found);
      if (look.source.peer !== source.peer || look.source.path !== source.path)
        return new Partial(target, source, { ...found, replaces: look.source });
      const left = { version: look.version, bytes: found.heldBytes };
      return new Partial(target, source, { ...found, ...(left.bytes > 0 && { left }) });
    } catch (error) {
      throw localFailure(`Cannot write ${printable(target)}`, error);
    }
  }

  /** Writes down whose bytes these will be, then opens the file for them; what it holds stays. */
  async begin(version: FileVersion): Promise<FileHandle> {
    const { partial, journal } = partialPaths(this.#target);
    try {
      // The journal first: bytes without one would be nobody's.
      await writeJournal(journal, this.#source, version);
      this.#hasJournal = true;
      this.#touchTimer ??= this.#keepTouching(journal);
      this.#file ??= await this.#openOwn(partial);
      return this.#file;
    } catch (error) {
      throw localFailure(`Cannot write ${printable(partial)}`, error);
    }
  }

  /** Makes the bytes durable and gives the file its name. */
  async finish(overwrite: boolean): Promise<void> {
    const { partial, journal } = partialPaths(this.#target);
    const file = this.#file;
    if (file === undefined) throw new Error('Cannot finish a download that was not begun');
    try {
      await requireSameFile(file, partial);
      if (process.platform !== 'win32') await file.chmod(finishedMode);
      await file.sync();
      await this.#close();
    } catch (error) {
      throw localFailure(`Cannot write ${printable(partial)}`, error);
    }
    await publish(partial, this.#target, overwrite);
    this.#hasJournal = false;
    await rm(journal, { force: true });
    await flushFolder(dirname(this.#target));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    if (!this.#hasJournal) return;
    const { partial, journal } = partialPaths(this.#target);
    const bytes = await sizeOf(partial);
    if (bytes === 'foreign' || (bytes !== undefined && bytes > 0)) return;
    await rm(partial, { force: true });
    await rm(journal, { force: true });
  }

  async #openOwn(partial: string): Promise<FileHandle> {
    const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
    const file = await open(partial, flags, partialMode);
    try {
      const [there, folder] = await Promise.all([file.stat(), stat(dirname(partial))]);
      if (!couldBeOurs(there, folder.uid)) throw inTheWay(this.#target, partial);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  #keepTouching(journal: string): NodeJS.Timeout {
    const timer = setInterval(() => {
      // A missed touch means at worst that another process may take over what this one will then fail to finish.
      touchJournal(journal, Date.now()).catch(() => {});
    }, journalTouchMs);
    return timer.unref();
  }

  async #close(): Promise<void> {
    clearInterval(this.#touchTimer);
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

/**
 * Whether bytes may go into a file that lies where ours would. Somebody else who may write into the folder could have put one
 * there, with a journal: a second name of a file of the user's, or one that they change once it is verified.
 *
 * The folder's owner is nobody to keep out, and owns every file on disks that know one owner only.
 */
export function couldBeOurs(
  file: { readonly uid: number; readonly nlink: number },
  folderUid: number,
  userId: number | undefined = process.geteuid?.(),
): boolean {
  if (file.nlink > 1) return false;
  return userId === undefined || file.uid === userId || file.uid === folderUid;
}

/** Undefined when nothing is there; `foreign` when it is no plain file. A link is not followed: it could lead anywhere. */
async function sizeOf(path: string): Promise<number | 'foreign' | undefined> {
  try {
    const stats = await lstat(path);
    return stats.isFile() ? stats.size : 'foreign';
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** What gets the target's name must be what the bytes went to: somebody may have tidied up meanwhile. */
async function requireSameFile(file: FileHandle, path: string): Promise<void> {
  const [held, there] = await Promise.all([
    file.stat({ bigint: true }),
    lstat(path, { bigint: true }).catch(() => undefined),
  ]);
  if (there?.ino !== held.ino || there.dev !== held.dev)
    throw new DownloadError(
      'failed',
      `${printable(path)} was removed or replaced while it was written: run the same again`,
    );
}

function inTheWay(target: string, path: string): DownloadError {
  return new DownloadError(
    'failed',
    `Cannot write ${printable(target)}: ${printable(path)} is in the way and is no unfinished download of ours. ` +
      'Move it away, or choose another name',
  );
}

/** Makes the new name durable. Windows cannot open a folder for this, and does not need it. */
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
