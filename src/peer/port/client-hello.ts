/**
 * Reads the first message of a TLS connection without answering it (RFC 8446 §4.1.2), to decide who serves it:
 *
 *     record:    type 0x16 | version 2 B | length 2 B | fragment …        (one or more, the hello may span them)
 *     handshake: type 0x01 | length 3 B | version 2 B | random 32 B | session id 1 B + n | suites 2 B + n
 *                | compression 1 B + n | extensions 2 B + n
 *     extension: type 2 B | length 2 B | data;   16 = ALPN: list 2 B, then names of 1 B + n (RFC 7301)
 */

/** A hybrid key share makes about 1.7 KB; grease, tickets and many suites a few more. OpenSSL itself refuses above this. */
export const clientHelloBytesMax = 16_384;

export type ClientHello =
  /** Not whole yet. */
  | { readonly kind: 'partial' }
  /** `isHttp`: it reads like a plain HTTP request. */
  | { readonly kind: 'not-tls'; readonly isHttp: boolean }
  /** Names offered by ALPN in the client's order; empty when it offers none. */
  | { readonly kind: 'hello'; readonly protocols: readonly string[] };

/** Whole in one record, or cut in a few by those who hide its host name; a reader of thousands of tiny ones would be kept busy. */
const recordsMax = 64;

const handshakeRecord = 22;
const clientHelloMessage = 1;
const recordHeaderBytes = 5;
const messageHeaderBytes = 4;
const alpnExtension = 16;

/** @param bytes everything that arrived so far; what stands behind the hello is not looked at. */
export function parseClientHello(bytes: Buffer): ClientHello {
  if (bytes.length === 0) return { kind: 'partial' };
  if (bytes[0] !== handshakeRecord) return parsePlainText(bytes.toString('latin1', 0, 16));
  const message = readMessage(bytes);
  if ('kind' in message) return message;
  const protocols = readProtocols(new Reader(message));
  return protocols === undefined ? notTls : { kind: 'hello', protocols };
}

/** A method of up to eight letters (RFC 9110 §9, RFC 4918) and a blank; fewer letters may still become one. */
function parsePlainText(start: string): ClientHello {
  if (/^[A-Z]{1,8}$/.test(start)) return { kind: 'partial' };
  return { kind: 'not-tls', isHttp: /^[A-Z]{3,8} /.test(start) };
}

const notTls = { kind: 'not-tls', isHttp: false } as const;

/** The body of the first handshake message, put together from its records, when it is a whole hello. */
function readMessage(bytes: Buffer): Buffer | ClientHello {
  let message: Buffer = Buffer.alloc(0);
  let at = 0;
  for (let records = 0; at + recordHeaderBytes <= bytes.length; records += 1) {
    const length = bytes.readUInt16BE(at + 3);
    if (bytes[at] !== handshakeRecord || bytes[at + 1] !== 3) return notTls;
    // RFC 8446 §5.1: no empty handshake records.
    if (length === 0 || records === recordsMax) return notTls;
    const end = at + recordHeaderBytes + length;
    const fragment = bytes.subarray(at + recordHeaderBytes, end);
    message = records === 0 ? fragment : Buffer.concat([message, fragment]);
    at = end;
    if (message.length < messageHeaderBytes) continue;
    const messageLength = message.readUIntBE(1, 3);
    if (message[0] !== clientHelloMessage || messageLength > clientHelloBytesMax) return notTls;
    if (message.length >= messageHeaderBytes + messageLength)
      return message.subarray(messageHeaderBytes, messageHeaderBytes + messageLength);
  }
  return { kind: 'partial' };
}

/** Undefined when the lengths do not add up. */
function readProtocols(body: Reader): string[] | undefined {
  body.skip(2 + 32);
  body.skip(body.uint8());
  body.skip(body.uint16());
  body.skip(body.uint8());
  // A hello may end here: TLS 1.2 without extensions.
  if (body.left === 0) return [];
  const extensions = body.slice(body.uint16());
  while (extensions.left > 0 && !extensions.isBroken) {
    const type = extensions.uint16();
    const data = extensions.slice(extensions.uint16());
    if (type === alpnExtension) return readNames(data.slice(data.uint16()));
  }
  return body.isBroken || extensions.isBroken ? undefined : [];
}

function readNames(list: Reader): string[] | undefined {
  const names: string[] = [];
  while (list.left > 0 && !list.isBroken) names.push(list.text(list.uint8()));
  return list.isBroken ? undefined : names;
}

/** Reads forward; past the end it gives zeros and remembers that it broke. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  isBroken = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  uint8(): number {
    return this.#take(1)?.readUInt8() ?? 0;
  }

  uint16(): number {
    return this.#take(2)?.readUInt16BE() ?? 0;
  }

  skip(length: number): void {
    this.#take(length);
  }

  slice(length: number): Reader {
    const taken = this.#take(length);
    const reader = new Reader(taken ?? Buffer.alloc(0));
    reader.isBroken = taken === undefined;
    return reader;
  }

  text(length: number): string {
    return this.#take(length)?.toString('latin1') ?? '';
  }

  #take(length: number): Buffer | undefined {
    if (length > this.left) {
      this.isBroken = true;
      this.#at = this.#bytes.length;
      return undefined;
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
