import { type Headers, refuseEncoding } from './answer-headers.ts';
import type { BodySource } from './body-source.ts';
import { answerVisitError } from './visit-error.ts';

/** What the head of an answer says of a file. */
export interface FileHead {
  /** Bytes of the whole file. */
  readonly size: number;
  /** Strong entity tag, with its quotes: the same tag, the same bytes. */
  readonly etag: string;
  /** RFC 3339, whole seconds; absent when the house does not say. */
  readonly modified?: string;
}

/** Which bytes of a file an answer holds. */
export interface FilePart extends FileHead {
  /** First byte of the file that comes. */
  readonly from: number;
  /** Bytes that come. */
  readonly length: number;
}

/** Bytes of a file on their way: never more than `length`, and a failure when they are fewer. */
export interface FileBody extends FilePart {
  readonly body: BodySource;
}

/** RFC 9110 §8.8.3, strong only: a weak one does not promise the same bytes, and `If-Range` forbids it. */
const strongEtag = /^"[\u0021\u0023-\u007e]{1,253}"$/;

/** The whole of a file: the head of a 200. */
export function readFileHead(subject: string, headers: Headers): FileHead {
  refuseEncoding(subject, headers);
  const size = readLength(subject, headers['content-length']);
  return { size, ...readVersion(subject, headers) };
}

/** The head of a 200, or of the 206 for the range `asked`. */
export function readFilePart(
  subject: string,
  { status, headers }: { readonly status: number; readonly headers: Headers },
  asked: { readonly from: number; readonly to: number | undefined } | undefined,
): FilePart {
  if (status === 206 && asked === undefined)
    throw answerVisitError(subject, 'it is a part, and the whole was asked for');
  if (status !== 206 || asked === undefined) {
    const head = readFileHead(subject, headers);
    return { ...head, from: 0, length: head.size };
  }
  refuseEncoding(subject, headers);
  const length = readLength(subject, headers['content-length']);
  const { from, to, size } = readContentRange(subject, headers['content-range']);
  if (from !== asked.from || to !== Math.min(asked.to ?? size - 1, size - 1))
    throw answerVisitError(subject, 'it holds another part than the one asked for');
  if (length !== to - from + 1) throw answerVisitError(subject, 'its lengths contradict each other');
  return { size, ...readVersion(subject, headers), from, length };
}

function readVersion(
  subject: string,
  headers: Headers,
): { readonly etag: string; readonly modified?: string } {
  const etag = textOf(headers['etag']);
  if (!strongEtag.test(etag))
    throw answerVisitError(subject, 'it does not say which version of the file it is');
  const modifiedMs = Date.parse(textOf(headers['last-modified']));
  return { etag, ...(Number.isFinite(modifiedMs) && { modified: new Date(modifiedMs).toISOString() }) };
}

function readContentRange(
  subject: string,
  field: Headers[string],
): { readonly from: number; readonly to: number; readonly size: number } {
  const match = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/.exec(textOf(field));
  const [from, to, size] = (match ?? []).slice(1).map(Number);
  if (
    from === undefined ||
    to === undefined ||
    size === undefined ||
    to < from ||
    size <= to ||
    !isSane(size)
  )
    throw answerVisitError(subject, 'it does not say which part of the file it is');
  return { from, to, size };
}

function readLength(subject: string, field: Headers[string]): number {
  const text = textOf(field);
  const length = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!isSane(length)) throw answerVisitError(subject, 'it does not say how long it is');
  return length;
}

function textOf(field: Headers[string]): string {
  return typeof field === 'string' ? field : '';
}

/** Beyond 8 PiB numbers are no longer exact; whether a disk can hold it is for the disk to say. */
function isSane(bytes: number): boolean {
  return Number.isSafeInteger(bytes);
}
