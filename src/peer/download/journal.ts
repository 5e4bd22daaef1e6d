import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, readFile, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { privateFileMode, writeFileAtomically } from '../../util/atomic-file.ts';
import { errorCode } from '../../util/error-code.ts';
import { digestBlockBytes } from '../../wire/house-http.ts';
import { houseNameBytesMax } from '../../wire/house-path.ts';

/**
 * What lies beside a partial and says whose bytes they are. It says nothing about how many of them are good: every
 * byte of an earlier try is checked against the house's block digests before it is kept, whatever stands here.
 */
const JournalSchema = z.object({
  journal: z.literal('flashback download 1'),
  /** E-mail of the house's owner. */
  peer: z.string(),
  path: z.string(),
  size: z.int().nonnegative(),
  etag: z.string(),
  modified: z.string().optional(),
  /** Process that writes to the partial, and its machine: while it lives, nobody else does. */
  pid: z.int(),
  host: z.string(),
});
type Journal = z.infer<typeof JournalSchema>;

/** Which bytes of whose file. */
export interface FileVersion {
  readonly size: number;
  readonly etag: string;
  readonly modified?: string | undefined;
}
export interface FileSource {
  readonly peer: string;
  /** In the house. */
  readonly path: string;
}

/** A writer touches its journal this often. */
export const journalTouchMs = 10_000;
/** A journal untouched for longer has no writer, even when a process has its number: numbers are used again. */
const writerSilenceMsMax = 3 * journalTouchMs;
/** Ours are under 10 KB; what is longer is not ours. */
const journalBytesMax = 64 * 1024;

const partialEnding = '.partial';
const journalEnding = `${partialEnding}.json`;

/** Where the bytes of an unfinished `target` lie: beside it, so that finishing is a rename. */
export function partialPaths(target: string): { readonly partial: string; readonly journal: string } {
  const stem = join(dirname(target), stemOf(basename(target)));
  return { partial: stem + partialEnding, journal: stem + journalEnding };
}

/** Whether a file of this name, fetched from a house, could be taken for a journal of ours. */
export function isJournalName(name: string): boolean {
  return name.toLowerCase().endsWith(journalEnding);
}

/** The name itself, or for one that leaves no room for the ending its beginning and a digest of the whole. */
function stemOf(name: string): string {
  const roomBytes = houseNameBytesMax - journalEnding.length;
  if (Buffer.byteLength(name) <= roomBytes) return name;
  const tag = `~${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
  const kept: string[] = [];
  let bytes = tag.length;
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > roomBytes) break;
    kept.push(character);
  }
  return kept.join('') + tag;
}

export type JournalLook =
  | { readonly kind: 'none' }
  /** Something of that name that we did not write. */
  | { readonly kind: 'foreign' }
  /** Ours, and a power failure took what stood in it. */
  | { readonly kind: 'empty' }
  /** Another process is at it. */
  | { readonly kind: 'held'; readonly pid: number }
  | { readonly kind: 'left'; readonly source: FileSource; readonly version: FileVersion };

/** Reads what an earlier try left behind. */
export async function readJournal(path: string, nowMs: number): Promise<JournalLook> {
  let text: string;
  let touchedMs: number;
  try {
    const stats = await lstat(path);
    if (!stats.isFile() || stats.size > journalBytesMax) return { kind: 'foreign' };
    if (stats.size === 0) return { kind: 'empty' };
    touchedMs = stats.mtimeMs;
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return { kind: 'none' };
    throw error;
  }
  const journal = parseJournal(text);
  if (journal === undefined) return { kind: 'foreign' };
  const { peer, path: housePath, size, etag, modified, pid } = journal;
  if (isHeld(journal, touchedMs, nowMs)) return { kind: 'held', pid };
  return { kind: 'left', source: { peer, path: housePath }, version: { size, etag, modified } };
}

/**
 * A file of one block leaves nothing that digests could prove before it is whole, so its journal only says whose the
 * partial is, and is not made durable: two of the four disk flushes that a small file costs. A power failure can leave it empty.
 */
export async function writeJournal(path: string, source: FileSource, version: FileVersion): Promise<void> {
  const journal: Journal = {
    journal: 'flashback download 1',
    ...source,
    size: version.size,
    etag: version.etag,
    ...(version.modified !== undefined && { modified: version.modified }),
    pid: process.pid,
    host: hostname(),
  };
  const text = `${JSON.stringify(journal, undefined, 2)}\n`;
  if (version.size > digestBlockBytes) {
    await writeFileAtomically(path, text);
    return;
  }
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | (constants.O_NOFOLLOW ?? 0);
  await writeFile(path, text, { flag: flags, mode: privateFileMode });
}

/** Says that the writer lives. */
export async function touchJournal(path: string, nowMs: number): Promise<void> {
  await utimes(path, nowMs / 1000, nowMs / 1000);
}

function parseJournal(text: string): Journal | undefined {
  try {
    const parsed = JournalSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Downloads of this process are kept apart by `ActiveDownloads`; this keeps two processes apart, as far as that goes
 * without locks, which not every file system and no system call of Node has.
 */
function isHeld({ pid, host }: Journal, touchedMs: number, nowMs: number): boolean {
  // In a container every start has the same number: a journal with ours is of a process that ended.
  if (pid === process.pid && host === hostname()) return false;
  if (Math.abs(nowMs - touchedMs) > writerSilenceMsMax) return false;
  return host === hostname() ? isAlive(pid) : true;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there and belongs to somebody else.
    return errorCode(error) === 'EPERM';
  }
}
