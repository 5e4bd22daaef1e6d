import type { Stats } from 'node:fs';
import { lstat, mkdir, open, realpath } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { errorCode } from '../../util/error-code.ts';
import { printable } from '../../util/printable.ts';
import { DownloadError, localFailure } from './download-error.ts';
import { hashFile } from './file-blocks.ts';
import { isJournalName } from './journal.ts';
import { foldName, foldsNames, unfitName } from './local-names.ts';

/** What stands where a file shall go. */
export type Standing =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'file'; readonly size: number }
  | { readonly kind: 'other' };

/**
 * The folder on this machine that a folder of a house is copied into. It says where each thing goes, or why it cannot
 * go there; nothing it names lies outside.
 */
export class FolderTarget {
  /** Real path: links above it are the user's own and stay as they were now. */
  readonly path: string;
  /** Folded names seen so far, by folder on the way down; undefined where the file system tells all spellings apart. */
  readonly #namesByFolder: Map<string, Set<string>> | undefined;

  private constructor(path: string, isFolding: boolean) {
    this.path = path;
    this.#namesByFolder = isFolding ? new Map() : undefined;
  }

  /**
   * Makes the folder when the one above it is there.
   *
   * @param isFolding whether its file system takes several spellings for one name; found out when not given.
   */
  static async open(path: string, isFolding?: boolean): Promise<FolderTarget> {
    if (!isAbsolute(path) || path.includes('\0'))
      throw new DownloadError(
        'bad_request',
        `Cannot write to "${printable(path)}": it must be an absolute path of a folder`,
      );
    const action = `Cannot write into ${printable(path)}`;
    try {
      await makeFolder(path);
      const real = await realpath(path);
      if (!(await lstat(real)).isDirectory())
        throw new DownloadError('bad_request', `${action}: it is no folder`);
      return new FolderTarget(real, isFolding ?? (await foldsNames(real)));
    } catch (error) {
      if (errorCode(error) === 'ENOENT')
        throw new DownloadError('bad_request', `${action}: the folder above it does not exist`, {
          cause: error,
        });
      throw localFailure(action, error);
    }
  }

  /** @param names below the target, each checked by `nameRefusal`. */
  pathOf(names: readonly string[]): string {
    return join(this.path, ...names);
  }

  /** Why nothing of this name can be written here, or undefined; asked once for each entry, in the walk's order. */
  refusal(names: readonly string[]): string | undefined {
    const name = names.at(-1) ?? '';
    const unfit = unfitName(name);
    if (unfit !== undefined) return unfit;
    // A house could else hand out a journal that makes us take a file of the user's for an unfinished download.
    if (isJournalName(name)) return 'downloads use names with this ending for themselves';
    if (this.#isSpeltOtherwise(names.slice(0, -1).join('/'), name))
      return 'the disk takes its name for that of another one beside it';
    return undefined;
  }

  /** Makes a folder below the target, or says why something cannot be there. A link in its place is not followed. */
  async makeFolder(names: readonly string[]): Promise<string | undefined> {
    const path = this.pathOf(names);
    try {
      await makeFolder(path);
      const stats = await lstat(path);
      if (stats.isDirectory()) return undefined;
      return stats.isSymbolicLink() ? 'a symbolic link stands in its place' : 'a file stands in its place';
    } catch (error) {
      throw localFailure(`Cannot make the folder ${printable(path)}`, error);
    }
  }

  async standing(names: readonly string[]): Promise<Standing> {
    const path = this.pathOf(names);
    let stats: Stats;
    try {
      stats = await lstat(path);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return { kind: 'nothing' };
      throw localFailure(`Cannot write ${printable(path)}`, error);
    }
    return stats.isFile() ? { kind: 'file', size: stats.size } : { kind: 'other' };
  }

  /** SHA-256, hex, of the file that stands there. */
  async sha256(names: readonly string[], signal: AbortSignal): Promise<string> {
    const path = this.pathOf(names);
    try {
      const file = await open(path, 'r');
      try {
        return await hashFile(file, signal);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw localFailure(`Cannot read ${printable(path)}`, error);
    }
  }

  #isSpeltOtherwise(folder: string, name: string): boolean {
    const namesByFolder = this.#namesByFolder;
    if (namesByFolder === undefined) return false;
    // What the walk has left is not needed any more.
    for (const known of namesByFolder.keys())
      if (known !== '' && known !== folder && !folder.startsWith(`${known}/`)) namesByFolder.delete(known);
    let names = namesByFolder.get(folder);
    if (names === undefined) namesByFolder.set(folder, (names = new Set()));
    const folded = foldName(name);
    if (names.has(folded)) return true;
    names.add(folded);
    return false;
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}
