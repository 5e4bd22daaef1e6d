import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { linkAbort } from '../../util/deadline.ts';
import { digestBlockBytes, type HouseDigest } from '../../wire/house-http.ts';
import { FileChangedError } from './download-error.ts';
import { blockCount, localBlocks } from './file-blocks.ts';
import type { FileVersion } from './journal.ts';
import type { LeftOver } from './partial.ts';

/** Asks the house for `count` block digests from block `from` on. */
export type AskDigests = (from: number, count: number, signal: AbortSignal) => Promise<HouseDigest>;

/** Blocks whose digests are asked for at once: 256 MiB, which a slow disk reads in a few seconds. */
export const digestsAtOnce = 64;

/** The part of a file that is here and is what the house has. */
export interface GoodPrefix {
  readonly position: number;
  /** Of the bytes before `position`. */
  readonly hash: Hash;
}

/** Bytes of a left-over that block digests can prove: whole blocks, and the last one when it is complete. */
export function provableBytes({ version, bytes }: LeftOver): number {
  return bytes >= version.size ? version.size : bytes - (bytes % digestBlockBytes);
}

/**
 * Compares what an earlier try left with the house's digests, block by block until the first that differs. While one
 * part is hashed here, the house hashes the next.
 *
 * @param onChecked hears how far it is good, in bytes.
 * @throws {FileChangedError} when the house has another version now.
 */
export async function checkLeftOver(
  file: FileHandle,
  left: LeftOver,
  ask: AskDigests,
  onChecked: (position: number) => void,
  signal: AbortSignal,
): Promise<GoodPrefix> {
  const { version } = left;
  const count = blockCount(provableBytes(left));
  const whole = createHash('sha256');
  let good: GoodPrefix = { position: 0, hash: whole.copy() };
  using scope = linkAbort(signal);
  const askFrom = (from: number): Promise<HouseDigest> | undefined => {
    if (from >= count) return undefined;
    const digest = ask(from, Math.min(digestsAtOnce, count - from), scope.signal);
    // When an earlier part differs nobody waits for this one.
    digest.catch(() => {});
    return digest;
  };
  try {
    let pending = askFrom(0);
    for (let from = 0; pending !== undefined; from += digestsAtOnce) {
      const digest: HouseDigest = await pending;
      requireVersion(digest, version, 'since the last try');
      pending = askFrom(from + digestsAtOnce);
      const to = from + (digest.blocks?.length ?? 0);
      for await (const block of localBlocks(file, { from, to, size: version.size }, whole, scope.signal)) {
        if (block.sha256 !== digest.blocks?.[block.index - from]) return good;
        good = { position: block.end, hash: whole.copy() };
        onChecked(good.position);
      }
      // The file ends before what its length promised.
      if (good.position < Math.min(to * digestBlockBytes, version.size)) return good;
    }
    return good;
  } finally {
    scope.abort(new Error('the left-over is checked'));
  }
}

/** @throws {FileChangedError} when `there` is not the version whose bytes are here. */
export function requireVersion(
  there: Pick<FileVersion, 'etag' | 'size'>,
  here: FileVersion,
  since: string,
): void {
  if (there.etag !== here.etag || there.size !== here.size)
    throw new FileChangedError(`the file changed at the other side ${since}`);
}
