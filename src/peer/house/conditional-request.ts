import type { IncomingHttpHeaders } from 'node:http';
import { type ByteRange, parseByteRange } from './byte-range.ts';
import type { FileVersion } from './file-version.ts';

/** What a GET or HEAD of a file is answered with. */
export type FileAnswer =
  | { readonly status: 200; readonly range: ByteRange }
  | { readonly status: 206; readonly range: ByteRange }
  | { readonly status: 304 }
  | { readonly status: 412 }
  | { readonly status: 416 };

/** Evaluates the conditions and the range of a request in the order of RFC 9110 §13.2.2. */
export function answerFor(
  method: 'GET' | 'HEAD',
  headers: IncomingHttpHeaders,
  version: FileVersion,
): FileAnswer {
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined) {
    if (!listHasTag(ifMatch, version.etag, 'strong')) return { status: 412 };
  } else if (isAfter(version, headers['if-unmodified-since'])) {
    return { status: 412 };
  }

  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) {
    if (listHasTag(ifNoneMatch, version.etag, 'weak')) return { status: 304 };
  } else if (
    headers['if-modified-since'] !== undefined &&
    isNotAfter(version, headers['if-modified-since'])
  ) {
    return { status: 304 };
  }

  const whole = { status: 200, range: { start: 0, end: version.size } } as const;
  // §14.2 defines Range for GET alone; a HEAD tells the length of the whole.
  if (method === 'HEAD' || !rangeHolds(headers['if-range'], version)) return whole;
  const range = parseByteRange(headers.range, version.size);
  if (range === 'whole') return whole;
  return range === 'unsatisfiable' ? { status: 416 } : { status: 206, range };
}

/** A date is never a strong enough validator here (§13.1.5): two versions can share a second. The whole is always a right answer. */
function rangeHolds(ifRange: string | string[] | undefined, version: FileVersion): boolean {
  return ifRange === undefined || ifRange === version.etag;
}

function listHasTag(field: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (field.trim() === '*') return true;
  // Our own tags hold neither commas nor quotes, so splitting at commas cannot make one out of another's.
  return field
    .split(',')
    .map((tag) => tag.trim())
    .some((tag) => tag === etag || (comparison === 'weak' && tag === `W/${etag}`));
}

function isAfter(version: FileVersion, date: string | undefined): boolean {
  const seconds = secondsOf(date);
  return seconds !== undefined && version.modifiedSeconds > seconds;
}

function isNotAfter(version: FileVersion, date: string): boolean {
  const seconds = secondsOf(date);
  return seconds !== undefined && version.modifiedSeconds <= seconds;
}

/** A date that cannot be read is as good as none (§13.1.3). */
function secondsOf(date: string | undefined): number | undefined {
  const ms = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}
