import type { FileHandle } from 'node:fs/promises';
import type { ByteRange } from './byte-range.ts';

/** One read. 64 KiB costs twice the processor time for the same bytes; more than this brings nothing. */
export const pumpBufferBytes = 512 * 1024;
/** Buffers kept for the next file (4 MiB); those beyond are left to the collector. */
const idleBuffersMax = 8;

/**
 * Hands the bytes of `range` to `take`, in order, reading one buffer ahead. A chunk is good until the promise of `take`
 * settles: its buffer is read into again.
 *
 * The last chunk waits until `isUnchanged` has said, after everything was read, that all of it is of one version: whoever takes the
 * last byte has the whole of one file. Rejects when it says no, when the file ends early, and when `take` rejects.
 */
export async function pumpFile(
  file: FileHandle,
  range: ByteRange,
  isUnchanged: () => Promise<boolean>,
  take: (chunk: Buffer) => Promise<void>,
): Promise<void> {
  if (range.start === range.end) return;
  let buffer = takeBuffer();
  let spare: Buffer | undefined;
  let position = range.start;
  let chunk = await fill(file, buffer, position, range.end);
  while (position + chunk.length < range.end) {
    position += chunk.length;
    spare ??= takeBuffer();
    // Reading goes into the one buffer while the other is taken; both are done before they change places.
    const [next] = await Promise.all([fill(file, spare, position, range.end), take(chunk)]);
    chunk = next;
    [buffer, spare] = [spare, buffer];
  }
  if (!(await isUnchanged())) throw new Error('the file changed while it was sent');
  await take(chunk);
  // Only here: on any other way out somebody may still be reading them.
  keepBuffer(buffer);
  if (spare !== undefined) keepBuffer(spare);
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

const idleBuffers: Buffer[] = [];

function takeBuffer(): Buffer {
  return idleBuffers.pop() ?? Buffer.allocUnsafeSlow(pumpBufferBytes);
}

function keepBuffer(buffer: Buffer): void {
  if (idleBuffers.length < idleBuffersMax) idleBuffers.push(buffer);
}
