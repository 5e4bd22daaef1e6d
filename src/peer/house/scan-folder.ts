import { opendir } from 'node:fs/promises';
import { errorCode } from '../../util/error-code.ts';

export interface FolderScan {
  /** Smallest first, at most `limit`; each the bytes of a name read as latin1. */
  readonly names: readonly string[];
  /** Whether wanted names follow. */
  readonly hasMore: boolean;
}

export interface FolderScanOptions {
  /** Only names behind this one, in the same form. */
  readonly after: string | undefined;
  readonly limit: number;
  readonly isWanted: (name: string, isFolder: boolean) => boolean;
  readonly signal: AbortSignal;
}

/** Names fetched from the system at once: 100,000 names take 60 ms at 1,024 and 220 ms at Node's own 32. */
const namesPerRead = 1024;

/**
 * The `limit` smallest wanted names behind `after`, ordered by their bytes (which is by code point). Reads the folder once and keeps at
 * most twice as many names as asked for, however many there are.
 *
 * Names are read as latin1, byte for byte: nothing is lost where they are not UTF-8, and comparing strings compares bytes.
 */
export async function scanFolder(path: string, options: FolderScanOptions): Promise<FolderScan> {
  try {
    return await scanOnce(path, 'latin1', options);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    // A few file systems do not say what an entry is. Node then looks each one up, and finds none whose name
    // is not ASCII when it reads names as latin1: names as buffers take twice as long and work there.
    return await scanOnce(path, 'buffer', options);
  }
}

/** Exported for tests: no ordinary file system makes the second encoding necessary. */
export async function scanOnce(
  path: string,
  encoding: 'latin1' | 'buffer',
  options: FolderScanOptions,
): Promise<FolderScan> {
  const nearest = new NearestNames(options);
  // Node's types leave `buffer` out.
  await using folder = await opendir(path, { encoding: encoding as 'latin1', bufferSize: namesPerRead });
  let vanished = 0;
  for (;;) {
    options.signal.throwIfAborted();
    try {
      const entry = await folder.read();
      if (entry === null) return nearest.result();
      const name = latin1Of(entry.name);
      if (nearest.mayTake(name) && options.isWanted(name, entry.isDirectory())) nearest.take(name);
    } catch (error) {
      vanished += 1;
      if (encoding === 'latin1' || errorCode(error) !== 'ENOENT' || vanished > vanishedMax) throw error;
    }
  }
}

/** Entries removed between reading their name and looking them up. A folder that is itself removed fails without end. */
const vanishedMax = 1000;

function latin1Of(name: string | Buffer): string {
  return typeof name === 'string' ? name : name.toString('latin1');
}

/** Keeps the smallest names: collects up to twice the limit, then sorts and drops the larger half. */
class NearestNames {
  readonly #after: string | undefined;
  /** One more than asked for, to know whether there are more. */
  readonly #keep: number;
  #names: string[] = [];
  #largestKept: string | undefined;

  constructor({ after, limit }: FolderScanOptions) {
    this.#after = after;
    this.#keep = limit + 1;
  }

  mayTake(name: string): boolean {
    return (
      (this.#after === undefined || name > this.#after) &&
      (this.#largestKept === undefined || name < this.#largestKept)
    );
  }

  take(name: string): void {
    this.#names.push(name);
    if (this.#names.length >= 2 * this.#keep) this.#drop();
  }

  result(): FolderScan {
    this.#drop();
    const hasMore = this.#names.length === this.#keep;
    return { names: hasMore ? this.#names.slice(0, -1) : this.#names, hasMore };
  }

  #drop(): void {
    this.#names.sort();
    if (this.#names.length < this.#keep) return;
    this.#names.length = this.#keep;
    this.#largestKept = this.#names.at(-1);
  }
}
