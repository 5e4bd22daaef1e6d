import type { BigIntStats, Stats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { errorCode } from '../../../util/error-code.ts';
import { utf8OfBytes } from '../../../util/platform/handle-path.ts';
import {
  type HouseEntry,
  type HouseListing,
  listingLimitDefault,
  listingLimitMax,
} from '../../../wire/house-http.ts';
import { houseNameBytesMax, pathRefusal } from '../../../wire/house-path.ts';

import type { Exchange } from '../exchange.ts';
import { timestamp } from '../file-version.ts';
import { mediaTypeOf } from '../media-types.ts';
import { type HouseItem, type HouseView, openInside } from '../open-inside.ts';
import { isProgram } from '../program-names.ts';
import { isRefusal, type Refusal, refuse, sendJson } from '../refusal.ts';
import { scanFolder } from '../scan-folder.ts';

/** Looked at together: enough to keep Node's four file threads busy, few enough to leave room for other requests. */
const entriesAtOnce = 8;

/** `GET /api/files[/<path>]?limit=&after=`: one page of a folder. */
export async function listFolder(exchange: Exchange, view: HouseView): Promise<Refusal | undefined> {
  const { target, signal, response } = exchange;
  const page = parsePage(target.query);
  if (isRefusal(page)) return page;
  const folder = await openInside(view, view.root, namesOf(target.path));
  if (isRefusal(folder)) return folder;
  await using _ = folder;
  if (!folder.isFolder) return refuse(400, 'this is a file: ask /download or /content for it');

  const scan = await scanFolder(folder.held.handlePath, {
    ...page,
    signal,
    isWanted: (bytes, isFolder) => isChildShown(view, folder, bytes, isFolder),
  });
  const entries: HouseEntry[] = [];
  let omitted = 0;
  for (let start = 0; start < scan.names.length; start += entriesAtOnce) {
    signal.throwIfAborted();
    const names = scan.names.slice(start, start + entriesAtOnce);
    for (const entry of await Promise.all(names.map((bytes) => describe(view, folder, bytes)))) {
      if (entry === 'omitted') omitted += 1;
      else if (entry !== 'gone') entries.push(entry);
    }
  }
  await folder.held.confirm();
  const last = scan.names.at(-1);
  sendJson(response, 200, {
    path: folder.segments.join('/'),
    entries,
    ...(scan.hasMore && last !== undefined ? { next: encodeCursor(last) } : {}),
    ...(omitted > 0 ? { omitted } : {}),
  } satisfies HouseListing);
  return undefined;
}

export function namesOf(path: string): string[] {
  return path === '' ? [] : path.split('/');
}

interface Page {
  readonly limit: number;
  /** Bytes of a name, read as latin1. */
  readonly after: string | undefined;
}

function parsePage(query: URLSearchParams): Page | Refusal {
  const limitText = query.get('limit') ?? String(listingLimitDefault);
  const limit = /^\d{1,6}$/.test(limitText) ? Number(limitText) : 0;
  if (limit < 1 || limit > listingLimitMax) return refuse(400, `limit must be from 1 to ${listingLimitMax}`);
  const cursor = query.get('after');
  if (cursor === null) return { limit, after: undefined };
  const after = decodeCursor(cursor);
  return after === undefined ? refuse(400, 'after must be the next of another page') : { limit, after };
}

/** The last name looked at, byte for byte: it need not exist any more, and need not be one that is shown. */
function encodeCursor(name: string): string {
  return Buffer.from(name, 'latin1').toString('base64url');
}

function decodeCursor(cursor: string): string | undefined {
  // macOS allows 255 UTF-16 units, which are up to three times as many bytes.
  if (!/^[\w-]+$/.test(cursor) || cursor.length > 4 * houseNameBytesMax) return undefined;
  return Buffer.from(cursor, 'base64url').toString('latin1');
}

/** Hidden entries are left out before they take a place on the page; what cannot be served is left out after, and counted. */
function isChildShown(view: HouseView, folder: HouseItem, bytes: string, isFolder: boolean): boolean {
  const name = utf8OfBytes(bytes);
  if (name === undefined) return true;
  return [folder.segments, folder.realSegments].every((segments) =>
    view.visibility.isNameShown([...segments, name], isFolder),
  );
}

async function describe(
  view: HouseView,
  folder: HouseItem,
  bytes: string,
): Promise<HouseEntry | 'omitted' | 'gone'> {
  const name = utf8OfBytes(bytes);
  const segments = [...folder.segments, name ?? ''];
  if (name === undefined || pathRefusal(segments.join('/')) !== undefined) return 'omitted';
  let stats: Stats;
  try {
    stats = await lstat(`${folder.held.handlePath}/${name}`);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 'gone';
    return 'omitted';
  }
  if (stats.isSymbolicLink()) return describeLink(view, folder, name);
  if (!stats.isDirectory() && !stats.isFile()) return 'omitted';
  return entryOf(view, segments, name, stats);
}

async function describeLink(
  view: HouseView,
  folder: HouseItem,
  name: string,
): Promise<HouseEntry | 'omitted' | 'gone'> {
  const item = await openInside(view, folder, [name]);
  if (isRefusal(item)) return item.cause === 'hidden' ? 'gone' : 'omitted';
  await using _ = item;
  const target = item.realSegments.join('/');
  return { ...entryOf(view, item.segments, name, item.held.stats), target };
}

function entryOf(
  view: HouseView,
  segments: readonly string[],
  name: string,
  stats: Stats | BigIntStats,
): HouseEntry {
  const modified = timestamp(Number(stats.mtimeMs));
  if (stats.isDirectory()) return { name, type: 'directory', size: 0, modified };
  const mediaType = mediaTypeOf(name);
  return {
    name,
    type: 'file',
    size: Number(stats.size),
    modified,
    ...(mediaType === undefined ? {} : { mediaType }),
    ...(!view.allowPrograms && isProgram(segments) ? { isProgram: true as const } : {}),
  };
}
