import { randomBytes } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';

const blockBytes = 8 * 1024 * 1024;

/** Writes a file of `bytes` that does not compress, no two blocks alike, and leaves it in the page cache. */
export function writeSampleFile(path: string, bytes: number): void {
  const file = openSync(path, 'w');
  const block = randomBytes(blockBytes);
  for (let position = 0; position < bytes; position += blockBytes) {
    block.writeBigUInt64BE(BigInt(position), 0);
    writeSync(file, block, 0, Math.min(blockBytes, bytes - position));
  }
  closeSync(file);
}
