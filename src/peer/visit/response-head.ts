/** What a head may hold. Those of a house are under 1 KB; Node's own limit is this, too. */
export const headBytesMax = 16 * 1024;

/** The head of an HTTP/1.1 answer (RFC 9112 §4, §5). */
export interface ResponseHead {
  readonly status: number;
  /** By lower-case name. The value of one that comes twice is undefined: which one counts would be a guess. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads a head from the bytes that have arrived.
 *
 * It is strict where leniency was used to smuggle (RFC 9112 §11): lines end in CR LF, nothing is folded, and no space
 * stands before a colon.
 *
 * @returns the head and where the body begins; `incomplete` when more has to come; `malformed` when no more can help.
 */
export function decodeResponseHead(
  bytes: Buffer,
): { readonly head: ResponseHead; readonly bodyStart: number } | 'incomplete' | 'malformed' {
  const end = bytes.subarray(0, headBytesMax).indexOf('\r\n\r\n');
  if (end === -1) return bytes.length >= headBytesMax || !couldBeHttp(bytes) ? 'malformed' : 'incomplete';
  const [statusLine = '', ...fields] = bytes.toString('latin1', 0, end).split('\r\n');
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [^\r\n\0]*)?$/.exec(statusLine)?.[1];
  if (status === undefined) return 'malformed';
  const valueByName = new Map<string, string | undefined>();
  for (const field of fields) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*$/.exec(field);
    const [name, value] = [match?.[1]?.toLowerCase(), match?.[2]];
    if (name === undefined || value === undefined) return 'malformed';
    valueByName.set(name, valueByName.has(name) ? undefined : value);
  }
  const headers: Record<string, string | undefined> = Object.create(null);
  for (const [name, value] of valueByName) headers[name] = value;
  return { head: { status: Number(status), headers }, bodyStart: end + 4 };
}

/** Bytes of the body when its length is told by `Content-Length` alone, once, in digits; else undefined. */
export function plainLength({ headers }: ResponseHead): number | undefined {
  const length = headers['content-length'];
  if ('transfer-encoding' in headers || length === undefined || !/^\d{1,15}$/.test(length)) return undefined;
  return Number(length);
}

/** So that what speaks another protocol is noticed at its first bytes. */
function couldBeHttp(bytes: Buffer): boolean {
  const start = 'HTTP/1.';
  return start.startsWith(bytes.toString('latin1', 0, start.length));
}
