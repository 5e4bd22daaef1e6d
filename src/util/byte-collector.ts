/**
 * Bytes that arrive in pieces, in one piece of memory. Kept as an array of pieces they cost what the sender likes: a body that
 * comes byte by byte takes over a hundred bytes of memory for each of its own.
 */
export class ByteCollector {
  #memory: Buffer = Buffer.alloc(0);
  #length = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Copies `chunk`; how many bytes may come is the caller's to say. */
  add(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    // What is whole with its first piece takes just that; more doubles, so that a byte is moved twice at most on average.
    if (length > this.#memory.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.#memory.length));
      this.#memory.copy(grown, 0, 0, this.#length);
      this.#memory = grown;
    }
    this.#memory.set(chunk, this.#length);
    this.#length = length;
  }

  /** All of them as UTF-8, decoded together: a character may come in two pieces. */
  text(): string {
    return this.#memory.toString('utf8', 0, this.#length);
  }
}
