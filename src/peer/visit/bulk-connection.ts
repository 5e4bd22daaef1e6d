import type { TLSSocket } from 'node:tls';
import { connectPinned, type PinnedConnectOptions } from '../../identity/connect-pinned.ts';
import { withDeadline } from '../../util/deadline.ts';
import type { BodyReceiver, BodySource } from './body-source.ts';
import { decodeResponseHead, headBytesMax, plainLength, type ResponseHead } from './response-head.ts';

/** TLS hands out records of 16 KB; what is larger stays empty. */
const readBufferBytes = 64 * 1024;

export interface BulkRequest {
  /** Request target: path and query, encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Connecting and handshake together. */
  readonly connectTimeoutMs: number;
  readonly headTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * One GET on a TLS connection of its own, whose body is read into the same memory over and over.
 *
 * Node's HTTP client makes a buffer of each TLS record, 65,000 for a gigabyte, and their collection costs more than the
 * network does: for 1 GiB to a file, hashed, it takes 2.6 s of processor time and this 1.7 (two busy cores). It is
 * worth its own few lines of HTTP for large files only; everything else goes through `PinnedClient`.
 *
 * @returns undefined when the answer is anything but bytes of a told length: a refusal, another encoding, no HTTP. Who
 * asked asks again by `PinnedClient`, which reads all of HTTP.
 */
export async function openBulk(
  peer: PinnedConnectOptions,
  request: BulkRequest,
): Promise<{ readonly head: ResponseHead; readonly body: BodySource } | undefined> {
  const connection = new BulkConnection();
  try {
    await withDeadline('Cannot connect', request.connectTimeoutMs, request.signal, (signal) =>
      connection.open(peer, signal),
    );
    const head = await withDeadline(
      'Cannot read the answer',
      request.headTimeoutMs,
      request.signal,
      (signal) => connection.ask(requestText(request), signal),
    );
    if (head !== undefined) return { head, body: connection };
    connection.destroy();
    return undefined;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

function requestText({ path, headers }: BulkRequest): string {
  const fields = Object.entries({ ...headers, connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  const lines = [`GET ${path} HTTP/1.1`, ...fields];
  // The callers' values are encoded paths, numbers and entity tags that were checked; this keeps it so.
  if (lines.some((line) => /[\r\n\0]/.test(line))) throw new Error('Cannot ask: a header holds a line break');
  return `${lines.join('\r\n')}\r\n\r\n`;
}

const successes: ReadonlySet<number> = new Set([200, 206]);

class BulkConnection implements BodySource {
  readonly #buffer = Buffer.allocUnsafeSlow(readBufferBytes);
  #socket: TLSSocket | undefined;
  /** Read and not delivered yet: the head as it grows, then what came of the body before anybody reads it. */
  #early: Buffer = Buffer.alloc(0);
  #onEarly: (() => void) | undefined;
  #bodyBytesLeft: number | undefined;
  #receiver: BodyReceiver | undefined;
  #isPaused = false;
  /** Once it is over: what to tell a receiver. */
  #over: { readonly error: unknown } | undefined;

  async open(peer: PinnedConnectOptions, signal: AbortSignal): Promise<void> {
    const reader = { buffer: this.#buffer, onBytes: (count: number) => this.#take(count) };
    const socket = await connectPinned({ ...peer, signal, reader });
    this.#socket = socket;
    socket.on('error', (error) => this.#finish(error));
    socket.on('end', () => this.#finish(undefined));
    socket.on('close', () => this.#finish(undefined));
    socket.resume();
  }

  /** The head of a plain success; undefined for anything else. */
  async ask(text: string, signal: AbortSignal): Promise<ResponseHead | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<ResponseHead | undefined>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#onEarly = () => {
      const decoded = decodeResponseHead(this.#early);
      if (decoded === 'incomplete') {
        if (this.#over !== undefined) reject(this.#over.error ?? new Error('the connection was cut'));
        return;
      }
      this.#onEarly = undefined;
      const length = decoded === 'malformed' ? undefined : plainLength(decoded.head);
      if (decoded === 'malformed' || length === undefined || !successes.has(decoded.head.status)) {
        resolve(undefined);
        return;
      }
      this.#early = this.#early.subarray(decoded.bodyStart);
      this.#bodyBytesLeft = length;
      this.pause();
      resolve(decoded.head);
    };
    this.#socket?.write(text);
    if (signal.aborted) onAbort();
    else this.#onEarly();
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  read(receiver: BodyReceiver): void {
    this.#receiver = receiver;
    const early = this.#early;
    this.#early = Buffer.alloc(0);
    this.#isPaused = false;
    this.#deliver(early);
    // All of it had arrived already.
    if (this.#receiver === undefined) return;
    if (this.#over !== undefined) this.#tell(receiver, this.#over.error);
    else if (!this.#isPaused) this.resume();
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket?.resume();
  }

  destroy(): void {
    this.#socket?.destroy();
  }

  #take(count: number): void {
    const chunk = this.#buffer.subarray(0, count);
    if (this.#receiver === undefined) this.#keep(chunk);
    else this.#deliver(chunk);
  }

  /** What TLS had decrypted already comes in spite of a pause: a few records. */
  #keep(chunk: Buffer): void {
    if (this.#early.length + chunk.length > headBytesMax + 4 * readBufferBytes) {
      this.#socket?.destroy(new Error('more arrived than was asked for'));
      return;
    }
    this.#early = Buffer.concat([this.#early, chunk]);
    this.#onEarly?.();
  }

  #deliver(chunk: Buffer): void {
    const receiver = this.#receiver;
    const left = this.#bodyBytesLeft;
    if (receiver === undefined || left === undefined) return;
    const body = chunk.length > left ? chunk.subarray(0, left) : chunk;
    this.#bodyBytesLeft = left - body.length;
    if (body.length > 0) receiver.bytes(body);
    if (this.#bodyBytesLeft === 0) this.#finish(undefined);
  }

  #finish(error: unknown): void {
    if (this.#over !== undefined) return;
    this.#over = { error };
    this.#onEarly?.();
    if (this.#receiver !== undefined) this.#tell(this.#receiver, error);
  }

  #tell(receiver: BodyReceiver, error: unknown): void {
    this.#receiver = undefined;
    if (this.#bodyBytesLeft === 0) {
      this.destroy();
      receiver.end();
    } else receiver.fail(error);
  }
}
