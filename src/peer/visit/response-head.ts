/** What a head may hold. Those of a house are under 1 KB; Node's own limit is this, too. */
export const headBytesMax = 16 * 1024;

/** The head of an HTTP/1.1 answer (RFC 9112 §4, §5). */
export interface ResponseHead {
  readonly status: number;
  /** By lower-case name. A name that comes twice has no entry: which one counts would be a guess. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Reads a head from the bytes that have arrived.
 *
 * It is strict where leniency was used to smuggle (RFC 9112 §11): lines end in CR LF, nothing is folded, no space stands
 * before a colon, and the body's length is `Content-Length`, once, in digits.
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
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of valueByName) if (value !== undefined) headers[name] = value;
  if (valueByName.has('transfer-encoding') || !/^\d{1,16}$/.test(headers['content-length'] ?? ''))
    return 'malformed';
  return { head: { status: Number(status), headers }, bodyStart: end + 4 };
}

/** So that what speaks another protocol is noticed at its first bytes. */
function couldBeHttp(bytes: Buffer): boolean {
  const start = 'HTTP/1.';
  return start.startsWith(bytes.toString('latin1', 0, start.length));
}
