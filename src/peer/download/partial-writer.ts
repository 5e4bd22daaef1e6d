import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/**
 * What comes from the network in pieces of 16 KB (TLS records) is written in pieces of this size. Measured for 1 GiB on
 * two cores shared with the serving house: hashing on this thread and writing on Node's pool takes 1.9 s of processor
 * time; a thread of its own for both takes 2.3 and is no faster, because all of them compete for the two cores.
 * docs/decisions holds the figures. One piece keeps the event loop for 0.5 ms (SHA-256 at 2 GB/s).
 */
export const writeBufferBytes = 1024 * 1024;
/** Filled or being written; when all are, the network waits for the disk. With the one being filled: 8 MiB a file. */
const fullBuffersMax = 7;
/** Memory that one file's download takes for buffers, whatever its size. */
export const downloadMemoryBytesMax = (fullBuffersMax + 1) * writeBufferBytes;

/**
 * Writes a file in order, from a position on, and hashes what it writes. One write is under way at a time (the file
 * system would line them up anyway) and takes all full buffers at once, so a slow disk occupies one of Node's four
 * file threads and not all.
 */
export class PartialWriter {
  readonly #file: FileHandle;
  readonly #hash: Hash;
  readonly #bufferBytes: number;
  #position: number;
  #writtenTo: number;
  #filling: Buffer | undefined;
  #filledBytes = 0;
  #full: Buffer[] = [];
  readonly #free: Buffer[] = [];
  #buffersInUse = 0;
  #writing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #onRoom: (() => void) | undefined;

  /**
   * @param size of the whole file, so that a small one takes a small buffer.
   * @param done where the next byte goes, and the hash of the bytes before it, which this object goes on with.
   */
  constructor(
    file: FileHandle,
    size: number,
    done: { readonly position: number; readonly hash: Hash } = { position: 0, hash: createHash('sha256') },
  ) {
    this.#file = file;
    this.#position = done.position;
    this.#writtenTo = done.position;
    this.#hash = done.hash;
    this.#bufferBytes = Math.min(writeBufferBytes, Math.max(1, size - done.position));
  }

  /** Bytes taken so far, from the file's beginning. */
  get position(): number {
    return this.#position;
  }

  /**
   * Takes `chunk`; its memory is the caller's again. False: it was taken, and {@link room} has to be awaited before
   * the next. Failures come out there and in {@link flush}.
   */
  write(chunk: Uint8Array): boolean {
    let offset = 0;
    while (offset < chunk.length) {
      const buffer = (this.#filling ??= this.#takeBuffer());
      const count = Math.min(buffer.length - this.#filledBytes, chunk.length - offset);
      buffer.set(count === chunk.length ? chunk : chunk.subarray(offset, offset + count), this.#filledBytes);
      offset += count;
      this.#filledBytes += count;
      if (this.#filledBytes === buffer.length) this.#handOver();
    }
    this.#position += chunk.length;
    return this.#failure === undefined && this.#buffersInUse <= fullBuffersMax;
  }

  /** Resolves when there is room for more; rejects when writing failed. */
  async room(): Promise<void> {
    while (this.#failure === undefined && this.#buffersInUse > fullBuffersMax) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onRoom = resolve;
      await promise;
    }
    this.#throwFailure();
  }

  /** Resolves when everything taken is with the system; rejects when writing failed. */
  async flush(): Promise<void> {
    this.#handOver();
    while (this.#writing !== undefined) await this.#writing;
    this.#throwFailure();
  }

  /** Resolves when no write is under way any more, whether or not they succeeded: then the file may be closed. */
  async settle(): Promise<void> {
    this.#filling = undefined;
    this.#full = [];
    while (this.#writing !== undefined) await this.#writing;
  }

  /** SHA-256 of the file up to `position`; after {@link flush}. */
  sha256(): string {
    return this.#hash.copy().digest('hex');
  }

  #handOver(): void {
    if (this.#filling === undefined || this.#filledBytes === 0) return;
    const full = this.#filling.subarray(0, this.#filledBytes);
    this.#filling = undefined;
    this.#filledBytes = 0;
    this.#hash.update(full);
    // After a failure nothing is written any more: who waits for room or an end hears of it.
    if (this.#failure !== undefined) return;
    this.#full.push(full);
    this.#writing ??= this.#writeAll();
  }

  /** Never rejects: whoever waits looks at `#failure`. */
  async #writeAll(): Promise<void> {
    try {
      while (this.#full.length > 0 && this.#failure === undefined) {
        const batch = this.#full;
        this.#full = [];
        await this.#writeBatch(batch);
        for (const { buffer } of batch) this.#free.push(Buffer.from(buffer));
        this.#buffersInUse -= batch.length;
        this.#wake();
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.#writing = undefined;
    this.#wake();
  }

  async #writeBatch(batch: readonly Buffer[]): Promise<void> {
    let pending = batch;
    while (pending.length > 0) {
      const { bytesWritten } = await this.#file.writev(pending, this.#writtenTo);
      if (bytesWritten === 0) throw new Error('the disk takes no more bytes');
      this.#writtenTo += bytesWritten;
      pending = skip(pending, bytesWritten);
    }
  }

  #takeBuffer(): Buffer {
    this.#buffersInUse += 1;
    // Not from Node's pool: each owns its memory, so that `buffer` is the whole of it.
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bufferBytes);
  }

  #wake(): void {
    this.#onRoom?.();
    this.#onRoom = undefined;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** What is left of `buffers` after `count` bytes of them were written. */
function skip(buffers: readonly Buffer[], count: number): readonly Buffer[] {
  let rest = count;
  for (const [index, buffer] of buffers.entries()) {
    if (rest < buffer.length) return [buffer.subarray(rest), ...buffers.slice(index + 1)];
    rest -= buffer.length;
  }
  return [];
}
