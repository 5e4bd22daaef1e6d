import type { ByteSink } from './archive-format.ts';

/** Small pieces are collected up to this: one write for many headers and small files. */
const gatherBytes = 128 * 1024;

/** Collects small writes for a sink that costs a system call each. */
export class GatheringSink implements ByteSink {
  readonly #sink: ByteSink;
  readonly #gathered = Buffer.allocUnsafeSlow(gatherBytes);
  #length = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  async write(bytes: Buffer): Promise<void> {
    if (this.#length + bytes.length > gatherBytes) await this.flush();
    if (bytes.length > gatherBytes / 2) {
      await this.flush();
      await this.#sink.write(bytes);
      return;
    }
    bytes.copy(this.#gathered, this.#length);
    this.#length += bytes.length;
  }

  /** Sends what is collected; one writer at a time, as the buffer is used again after. */
  async flush(): Promise<void> {
    if (this.#length === 0) return;
    const bytes = this.#gathered.subarray(0, this.#length);
    this.#length = 0;
    await this.#sink.write(bytes);
  }
}
