import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { printable } from '../../util/printable.ts';
import { type AskDigests, digestsAtOnce, requireVersion } from './check-left-over.ts';
import { DownloadError } from './download-error.ts';
import { blockCount, type LocalBlock, localBlocks } from './file-blocks.ts';
import type { FileVersion } from './journal.ts';

/** A block that is wrong again after this many fetches is wrong at its source. */
const roundsMax = 3;
/** 1 GiB: so much damage is no accident, and fetching it all again and again is what a hostile house would like. */
const repairBlocksMax = 256;

export interface Repair {
  /** In the house, for errors. */
  readonly path: string;
  readonly file: FileHandle;
  readonly version: FileVersion;
  /** The house's word for the whole. */
  readonly sha256: string;
  readonly ask: AskDigests;
  /** Fetches one block anew and writes it to its place. */
  readonly refetch: (block: LocalBlock) => Promise<void>;
  readonly onBadBlocks: (count: number) => void;
  readonly signal: AbortSignal;
}

/**
 * For a file that is complete and whose digest is not the house's: finds the blocks that differ and fetches them again.
 *
 * @returns the SHA-256 of what is on this disk then, which is the house's.
 * @throws {DownloadError} `corrupt`
 */
export async function repair(options: Repair): Promise<string> {
  const { path, sha256, refetch, onBadBlocks } = options;
  let blocksLeft = repairBlocksMax;
  for (let round = 0; ; round += 1) {
    const { bad, whole } = await compare(options, blocksLeft);
    if (bad.length === 0) {
      if (whole === sha256) return sha256;
      throw corrupt(path, 'its digests of the whole and of the parts contradict each other');
    }
    if (round === roundsMax || bad.length > blocksLeft) break;
    blocksLeft -= bad.length;
    onBadBlocks(bad.length);
    for (const block of bad) await refetch(block);
  }
  throw corrupt(
    path,
    'parts of it arrive otherwise than the house says they are, however often they are fetched',
  );
}

/** The blocks that differ, at most one more than `badMax`, and when there are none the digest of the whole. */
async function compare(
  { file, version, ask, signal }: Repair,
  badMax: number,
): Promise<{ readonly bad: LocalBlock[]; readonly whole: string }> {
  const whole = createHash('sha256');
  const bad: LocalBlock[] = [];
  const count = blockCount(version.size);
  for (let from = 0; from < count; from += digestsAtOnce) {
    const digest = await ask(from, Math.min(digestsAtOnce, count - from), signal);
    requireVersion(digest, version, 'while it was fetched');
    const span = { from, to: Math.min(from + digestsAtOnce, count), size: version.size };
    for await (const block of localBlocks(file, span, whole, signal)) {
      if (block.sha256 !== digest.blocks?.[block.index - from]) bad.push(block);
      if (bad.length > badMax) return { bad, whole: '' };
    }
  }
  return { bad, whole: whole.digest('hex') };
}

function corrupt(path: string, flaw: string): DownloadError {
  return new DownloadError('corrupt', `"/${printable(path)}" cannot be verified: ${flaw}`);
}
