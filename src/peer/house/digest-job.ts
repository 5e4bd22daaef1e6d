/** What the house asks of a digest worker and hears from it; both ends are this program. */

/** What is wanted of blocks `fromBlock` up to and not including `endBlock`: at least one of both digests. */
export interface DigestJob {
  /** Descriptor that both threads share; the house keeps it open until the answer. */
  readonly descriptor: number;
  readonly sizeBytes: number;
  readonly fromBlock: number;
  readonly endBlock: number;
  /** One digest over all of it; the span is the whole file then. */
  readonly wholeFile: boolean;
  /** One digest a block. */
  readonly eachBlock: boolean;
  /** One Int32: not zero once nobody waits for the answer. */
  readonly cancelled: SharedArrayBuffer;
}

export const sha256Bytes = 32;

export type DigestOutcome =
  | {
      readonly kind: 'done';
      /** 32 bytes; only when the whole file was asked for. */
      readonly sha256: Uint8Array | undefined;
      /** 32 bytes a block; only when they were asked for. */
      readonly blocks: Uint8Array | undefined;
    }
  /** The file ended before its size. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string | undefined };
