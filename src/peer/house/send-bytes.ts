import type { FileHandle } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { linkAbort } from '../../util/deadline.ts';
import type { ByteRange } from './byte-range.ts';

/** One read and one write. 64 KiB costs twice the processor time for the same bytes; more than this brings nothing. */
export const sendBufferBytes = 512 * 1024;
/** Buffers kept for the next download (4 MiB); those beyond are left to the collector. */
const idleBuffersMax = 8;
/** A visitor who takes nothing for this long is gone, or will ask again by Range: the file is not held open for them. */
const stallMs = 120_000;

/**
 * Writes `range` of `file` as the body of `response` and ends it, reading one buffer ahead of the network.
 *
 * The last bytes wait until `isUnchanged` has said, after everything was read, that all of it is of one version: a body that
 * mixes two is never ended as if it were whole. Rejects when it says no, when the file ends early, when the visitor stops
 * reading, and when `signal` aborts; the caller then destroys the connection.
 */
export async function sendBytes(
  file: FileHandle,
  range: ByteRange,
  response: ServerResponse,
  isUnchanged: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  using link = linkAbort(signal);
  const stallTimer = setTimeout(() => link.abort(new Error('the visitor stopped reading')), stallMs);
  try {
    let buffer = takeBuffer();
    let spare: Buffer | undefined;
    let position = range.start;
    let chunk = await fill(file, buffer, position, range.end);
    while (position + chunk.length < range.end) {
      position += chunk.length;
      spare ??= takeBuffer();
      // Reading goes into the one buffer while the network takes the other; both are done before they change places.
      const [next] = await Promise.all([
        fill(file, spare, position, range.end),
        write(response, chunk, link.signal),
      ]);
      chunk = next;
      [buffer, spare] = [spare, buffer];
      stallTimer.refresh();
    }
    if (!(await isUnchanged())) throw new Error('the file changed while it was sent');
    await write(response, chunk, link.signal);
    response.end();
    // Only here: on any other way out the network may still be reading them.
    keepBuffer(buffer);
    if (spare !== undefined) keepBuffer(spare);
  } finally {
    clearTimeout(stallTimer);
  }
}

/** Reads until the buffer or the range is full; a file that ends before is not the one that was promised. */
async function fill(file: FileHandle, buffer: Buffer, position: number, end: number): Promise<Buffer> {
  const wanted = Math.min(buffer.length, end - position);
  let length = 0;
  while (length < wanted) {
    const { bytesRead } = await file.read(buffer, length, wanted - length, position + length);
    if (bytesRead === 0) throw new Error('the file was cut short while it was sent');
    length += bytesRead;
  }
  return buffer.subarray(0, wanted);
}

/** Settles when the bytes have left for the system: only then may their buffer be used again. */
async function write(response: ServerResponse, chunk: Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  response.write(chunk, (error) => (error ? reject(error) : resolve()));
  try {
    await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

const idleBuffers: Buffer[] = [];

function takeBuffer(): Buffer {
  return idleBuffers.pop() ?? Buffer.allocUnsafeSlow(sendBufferBytes);
}

function keepBuffer(buffer: Buffer): void {
  if (idleBuffers.length < idleBuffersMax) idleBuffers.push(buffer);
}
