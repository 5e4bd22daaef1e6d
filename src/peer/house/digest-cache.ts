/** Digests of one version of a file. */
export interface FileDigests {
  /** 32 bytes. */
  readonly sha256: Uint8Array;
  /** 32 bytes a block; undefined when nobody has asked for them yet. */
  readonly blocks: Uint8Array | undefined;
}

/** What an entry costs beside its block digests: key, digest and map. Rounded up. */
const entryOverheadBytes = 512;

/** Digests by file version, the least recently asked for dropped first when they grow beyond `bytesMax`. */
export class DigestCache {
  readonly #bytesMax: number;
  readonly #digestsByKey = new Map<string, FileDigests>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(key: string): FileDigests | undefined {
    const digests = this.#digestsByKey.get(key);
    if (digests === undefined) return undefined;
    // A Map keeps the order of insertion: to the end with what was asked for.
    this.#digestsByKey.delete(key);
    this.#digestsByKey.set(key, digests);
    return digests;
  }

  set(key: string, digests: FileDigests): void {
    this.#drop(key);
    if (costOf(digests) > this.#bytesMax) return;
    this.#digestsByKey.set(key, digests);
    this.#bytes += costOf(digests);
    for (const oldest of this.#digestsByKey.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#drop(oldest);
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  #drop(key: string): void {
    const digests = this.#digestsByKey.get(key);
    if (digests === undefined) return;
    this.#digestsByKey.delete(key);
    this.#bytes -= costOf(digests);
  }
}

function costOf({ blocks }: FileDigests): number {
  return (blocks?.byteLength ?? 0) + entryOverheadBytes;
}
