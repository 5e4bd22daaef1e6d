/**
 * "Open first, decide on the handle": where does an open handle really lead? The one place that knows how each
 * system answers.
 *
 * - Linux: `open(O_PATH)` follows every link and has no side effect on what it finds (a FIFO does not block, a tape is not
 *   rewound, a watchdog is not armed); `/proc/self/fd/N` then tells where the handle is, and opening `/proc/self/fd/N`
 *   opens that very object. Nothing that is renamed or swapped in between can change the answer.
 * - Elsewhere Node offers no such call (macOS has F_GETPATH, Windows GetFinalPathNameByHandle; neither is in
 *   `node:fs`). There the path is resolved, what it leads to is opened without following links, and the handle must be the
 *   file (device and inode) that the resolved path names *before and after*. **The gap:** whoever can write into the folder
 *   and swaps a directory for a link to the outside and back, in step with these three calls, is not noticed; and a
 *   folder is listed by its path. Both need an attacker who already runs on the owner's machine.
 */
import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readlink, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';

/** Something on disk, held open, and where it is. The holder disposes it. */
export interface HeldPath extends AsyncDisposable {
  /** Of the held object itself. */
  readonly stats: BigIntStats;
  /** Leads to the held object, also as the beginning of a path; where the handle decides, whatever is renamed meanwhile. */
  readonly handlePath: string;
  /** Absolute and without links, for comparison only: bytes as latin1 where the system's paths are bytes. */
  readonly place: string;
  /** Opens the held object for reading; the caller closes it. */
  openFile(): Promise<FileHandle>;
  /** Throws ENOENT when the place has been swapped since (only possible in the gap above). */
  confirm(): Promise<void>;
}

/**
 * Opens what `path` leads to, following links, and says where that is. Rejects with the system's error (`ENOENT`,
 * `ENOTDIR`, `ELOOP`, `EACCES`, …), with `ENOENT` for what was removed or swapped meanwhile.
 */
export type PathHolder = (path: string) => Promise<HeldPath>;

/** `O_PATH` of Linux (asm-generic, the same on x64 and arm64); Node does not name it. */
const linuxPathOnly = 0o10000000;

/** Never a controlling terminal, never a wait for the other end of a FIFO; Windows has neither flag. */
const readFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** The best that this system offers. Linux without `/proc` (some containers) falls back like the others. */
export async function choosePathHolder(): Promise<PathHolder> {
  if (process.platform !== 'linux') return holdByRealPath;
  try {
    await using root = await holdByHandle('/');
    return root.place === '/' ? holdByHandle : holdByRealPath;
  } catch {
    return holdByRealPath;
  }
}

/** Linux: decides on the handle. */
export async function holdByHandle(path: string): Promise<HeldPath> {
  const handle = await open(path, linuxPathOnly);
  try {
    const stats = await handle.stat({ bigint: true });
    const handlePath = `/proc/self/fd/${handle.fd}`;
    const place = await readlink(handlePath, 'latin1');
    if (place.endsWith(' (deleted)')) await refuseDeleted(place, stats, path);
    return {
      stats,
      handlePath,
      place,
      openFile: () => open(handlePath, readFlags),
      confirm: async () => undefined,
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Everywhere else, and wherever `/proc` is not mounted: see the gap above. */
export async function holdByRealPath(path: string): Promise<HeldPath> {
  const place = await realpath(path);
  const before = await lstat(place, { bigint: true });
  // Opening a device or a FIFO can have effects: those are only described.
  if (!before.isFile() && !before.isDirectory()) return describeOnly(place, before);
  const handle = await open(place, readFlags | (constants.O_NOFOLLOW ?? 0));
  try {
    const stats = await handle.stat({ bigint: true });
    const confirm = async (): Promise<void> => {
      const now = await lstat(place, { bigint: true });
      if (!isSameFile(stats, now) || (await realpath(path)) !== place) throw swappedError(path);
    };
    if (!isSameFile(stats, before)) throw swappedError(path);
    await confirm();
    const openFile = async (): Promise<FileHandle> => {
      const file = await open(place, readFlags | (constants.O_NOFOLLOW ?? 0));
      const opened = await file.stat({ bigint: true }).catch(() => undefined);
      if (opened !== undefined && isSameFile(opened, stats)) return file;
      await file.close();
      throw swappedError(path);
    };
    return {
      stats,
      handlePath: place,
      place,
      openFile,
      confirm,
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * The names from `outer` down to `inner`: empty when they are the same place, undefined when `inner` lies outside or
 * below a name that is not UTF-8. Both must come from the same holder.
 */
export function segmentsWithin(outer: HeldPath, inner: HeldPath): string[] | undefined {
  if (inner.place === outer.place) return [];
  const separator = outer.place.startsWith('/') ? '/' : sep;
  const prefix = outer.place.endsWith(separator) ? outer.place : outer.place + separator;
  if (!inner.place.startsWith(prefix)) return undefined;
  const below = inner.place.slice(prefix.length);
  const decoded = inner.handlePath === inner.place ? below : utf8OfBytes(below);
  return decoded?.split(separator);
}

/** Text of a name that was read byte for byte as latin1, or undefined when the bytes are not UTF-8. */
export function utf8OfBytes(latin1: string): string | undefined {
  if (!/[\u0080-\u00ff]/.test(latin1)) return latin1;
  try {
    return strictUtf8.decode(Buffer.from(latin1, 'latin1'));
  } catch {
    return undefined;
  }
}

/** `ignoreBOM` keeps a leading U+FEFF: it is part of a name. */
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function isSameFile(one: BigIntStats, other: BigIntStats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** Linux marks a removed file by a suffix, which could also be the end of an honest name. */
async function refuseDeleted(place: string, stats: BigIntStats, path: string): Promise<void> {
  const named = await stat(Buffer.from(place, 'latin1'), { bigint: true }).catch(() => undefined);
  if (named === undefined || !isSameFile(named, stats)) throw swappedError(path);
}

function describeOnly(place: string, stats: BigIntStats): HeldPath {
  return {
    stats,
    place,
    handlePath: place,
    openFile: () => Promise.reject(swappedError(place)),
    confirm: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function swappedError(path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`Cannot hold ${path}: it was removed or replaced meanwhile`), {
    code: 'ENOENT',
  });
}
