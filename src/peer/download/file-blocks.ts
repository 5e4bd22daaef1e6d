import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { digestBlockBytes } from '../../wire/house-http.ts';

/** Read and hashed at once: 0.5 ms for each of the two hashes, then the event loop has its turn. */
const sliceBytes = 1024 * 1024;

export interface LocalBlock {
  readonly index: number;
  /** Position of its first byte and, exclusive, its last. */
  readonly start: number;
  readonly end: number;
  /** Hex. */
  readonly sha256: string;
}

/**
 * The digests of the blocks that are on this disk, from `from` to `to` (block indices, exclusive) of a file that ends
 * at `size`. Ends early when the file does: a block that is not all there is not told. One mebibyte is in memory at a time.
 *
 * @param whole takes all bytes that were read, the last block's included.
 */
export async function* localBlocks(
  file: FileHandle,
  span: { readonly from: number; readonly to: number; readonly size: number },
  whole: Hash,
  signal: AbortSignal,
): AsyncGenerator<LocalBlock> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(sliceBytes, Math.max(1, span.size)));
  for (let index = span.from; index < span.to; index += 1) {
    const start = index * digestBlockBytes;
    const end = Math.min(start + digestBlockBytes, span.size);
    const block = createHash('sha256');
    for (let position = start; position < end; ) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - position), position);
      if (bytesRead === 0) return;
      const slice = buffer.subarray(0, bytesRead);
      block.update(slice);
      whole.update(slice);
      position += bytesRead;
    }
    yield { index, start, end, sha256: block.digest('hex') };
  }
}

/** SHA-256, hex, of all of a file on this disk. */
export async function hashFile(file: FileHandle, signal: AbortSignal): Promise<string> {
  const buffer = Buffer.allocUnsafeSlow(sliceBytes);
  const whole = createHash('sha256');
  for (let position = 0; ; ) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return whole.digest('hex');
    whole.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

/** Blocks in a file of `size` bytes: none when it is empty. */
export function blockCount(size: number): number {
  return Math.ceil(size / digestBlockBytes);
}
