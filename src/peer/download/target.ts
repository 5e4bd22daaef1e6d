import type { Stats } from 'node:fs';
import { link, lstat, open, rename, rm, stat, statfs, unlink } from 'node:fs/promises';
import { basename, dirname, isAbsolute } from 'node:path';
import { errorCode } from '../../util/error-code.ts';
import { printable } from '../../util/printable.ts';
import { DownloadError, localFailure } from './download-error.ts';
import { partialPaths } from './journal.ts';
import { foldName } from './local-names.ts';

/** Where a file goes on this machine. */
export interface Target {
  /** Absolute. */
  readonly path: string;
  /** Names the folder itself, whatever path leads there: `dev:ino`. */
  readonly folderId: string;
}

/**
 * Looks at the place a file shall go to.
 *
 * @throws {DownloadError} `bad_request` when no file can be there (no folder above it, a folder in its place), `exists`
 * when a file is there and `overwrite` is not set.
 */
export async function inspectTarget(path: string, overwrite: boolean): Promise<Target> {
  const shown = printable(path);
  if (!isAbsolute(path) || path.includes('\0') || basename(path) === '')
    throw new DownloadError(
      'bad_request',
      `Cannot write to "${shown}": it must be an absolute path of a file`,
    );
  const folder = await stats(stat, dirname(path), path);
  if (folder === undefined)
    throw new DownloadError(
      'bad_request',
      `Cannot write ${shown}: the folder ${printable(dirname(path))} does not exist`,
    );
  if (!folder.isDirectory())
    throw new DownloadError('bad_request', `Cannot write ${shown}: ${printable(dirname(path))} is no folder`);
  const there = await stats(lstat, path, path);
  if (there?.isDirectory() === true)
    throw new DownloadError('bad_request', `Cannot write ${shown}: a folder of that name is there`);
  if (there !== undefined && !overwrite) throw existsError(path);
  return { path, folderId: `${folder.dev}:${folder.ino}` };
}

/**
 * What a download to `target` writes to, as keys of `ActiveDownloads`: one file has one key whatever path leads to it.
 * Names that differ only in case or composition share a key, because some file systems take them for one.
 */
export function claimKeys({ path, folderId }: Target): string[] {
  const { partial, journal } = partialPaths(path);
  return [path, partial, journal].map((each) => `${folderId}/${foldName(basename(each))}`);
}

/** @throws {DownloadError} when the disk says that it cannot take `bytes` more; a disk that does not say is believed. */
export async function requireSpace(path: string, bytes: number): Promise<void> {
  let freeBytes: number;
  try {
    const { blocks, bavail, bsize } = await statfs(dirname(path));
    // Some network and user-space file systems answer with zeros.
    if (blocks === 0) return;
    freeBytes = bavail * bsize;
  } catch {
    // It is only a courtesy to say so before the first byte; a full disk is noticed when writing, too.
    return;
  }
  if (freeBytes < bytes)
    throw new DownloadError(
      'failed',
      `Cannot write ${printable(path)}: the file needs ${bytes} more bytes and the disk has ${freeBytes} free`,
    );
}

/**
 * Gives the finished `partial` its name, in one step for everybody who looks.
 *
 * Without `overwrite` that step is `link`, which fails when the name is taken, however late somebody took it; `rename`
 * would replace it silently. File systems without links (FAT, some network shares) get an empty placeholder made
 * exclusively, which the rename then replaces.
 *
 * @param linkFile another one in tests: no file system without links can be counted on there.
 */
export async function publish(
  partial: string,
  target: string,
  overwrite: boolean,
  linkFile: typeof link = link,
): Promise<void> {
  try {
    if (overwrite) await rename(partial, target);
    else await publishExclusively(partial, target, linkFile);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw existsError(target);
    throw localFailure(`Cannot give the finished file its name ${printable(target)}`, error);
  }
}

async function publishExclusively(partial: string, target: string, linkFile: typeof link): Promise<void> {
  try {
    await linkFile(partial, target);
  } catch (error) {
    if (!linklessErrnos.has(errorCode(error) ?? '')) throw error;
    const placeholder = await open(target, 'wx');
    await placeholder.close();
    try {
      await rename(partial, target);
    } catch (renameError) {
      await rm(target, { force: true });
      throw renameError;
    }
    return;
  }
  await unlink(partial);
}

/** What systems say where there are no hard links, or not for this user. */
const linklessErrnos = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EMLINK', 'EACCES']);

export function existsError(path: string): DownloadError {
  return new DownloadError('exists', `${printable(path)} exists already and is left as it is`);
}

/** Undefined when nothing is there. */
async function stats(
  look: (path: string) => Promise<Stats>,
  path: string,
  target: string,
): Promise<Stats | undefined> {
  try {
    return await look(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw localFailure(`Cannot write ${printable(target)}`, error);
  }
}
