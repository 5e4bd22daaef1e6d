/** A head longer than this is not from a server under test. */
const headBytesMax = 16_384;

type Progress =
  | { readonly kind: 'head'; readonly bytes: Buffer }
  | { readonly kind: 'counted'; readonly status: number; readonly bytesLeft: number }
  | { readonly kind: 'chunked'; readonly status: number; readonly tail: string };

const start: Progress = { kind: 'head', bytes: Buffer.alloc(0) };
const headEnd = Buffer.from('\r\n\r\n');
/** How a chunked body ends (RFC 9112 §7.1): after the line break of the chunk before it. */
const lastChunk = '\r\n0\r\n\r\n';

/**
 * Reads HTTP/1.1 answers one at a time, as cheaply as JavaScript can: it finds where an answer ends and looks
 * at nothing but the status. Bodies are dropped. For connections that never have two requests outstanding.
 */
export class AnswerReader {
  #progress: Progress = start;
  #bodyBytes = 0;

  /** Bytes of the bodies read so far. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /**
   * Takes what arrived and returns the status when the answer is complete, else `undefined`. Keeps nothing of
   * `chunk` itself, so its memory may be used again.
   */
  push(chunk: Buffer): number | undefined {
    const progress = this.#progress;
    if (progress.kind === 'counted')
      return this.#takeCounted(progress.status, progress.bytesLeft, chunk.length);
    if (progress.kind === 'chunked') return this.#takeChunked(progress.status, progress.tail, chunk);
    const bytes = progress.bytes.length === 0 ? chunk : Buffer.concat([progress.bytes, chunk]);
    const end = bytes.indexOf(headEnd);
    if (end === -1) {
      if (bytes.length > headBytesMax)
        throw new Error(`Cannot read an answer: no end of its head in ${bytes.length} bytes`);
      this.#progress = { kind: 'head', bytes: Buffer.from(bytes) };
      return undefined;
    }
    return this.#startBody(bytes.toString('latin1', 0, end), bytes, end + headEnd.length);
  }

  #startBody(head: string, bytes: Buffer, bodyStart: number): number | undefined {
    const status = Number(head.slice(9, 12));
    if (!head.startsWith('HTTP/1.1 ') || !(status >= 200)) {
      throw new Error(`Cannot read an answer: it starts with ${JSON.stringify(head.slice(0, 60))}`);
    }
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      return this.#takeChunked(status, '\r\n', bytes.subarray(bodyStart));
    }
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    return this.#takeCounted(status, length, bytes.length - bodyStart);
  }

  #takeCounted(status: number, bytesLeft: number, bytesTaken: number): number | undefined {
    if (bytesTaken > bytesLeft) {
      throw new Error(
        `Cannot read an answer: ${bytesTaken - bytesLeft} bytes follow an answer of status ${status}`,
      );
    }
    this.#bodyBytes += bytesTaken;
    if (bytesTaken === bytesLeft) return this.#finish(status);
    this.#progress = { kind: 'counted', status, bytesLeft: bytesLeft - bytesTaken };
    return undefined;
  }

  #takeChunked(status: number, before: string, chunk: Buffer): number | undefined {
    this.#bodyBytes += chunk.length;
    const last = chunk.toString('latin1', Math.max(0, chunk.length - lastChunk.length));
    const tail = (before + last).slice(-lastChunk.length);
    if (tail === lastChunk) return this.#finish(status);
    this.#progress = { kind: 'chunked', status, tail };
    return undefined;
  }

  #finish(status: number): number {
    this.#progress = start;
    return status;
  }
}
