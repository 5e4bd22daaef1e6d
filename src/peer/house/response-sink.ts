import type { ServerResponse } from 'node:http';

/** A visitor who takes nothing for this long is gone, or will ask again by Range: nothing is held open for them. */
const stallMs = 120_000;

/** The body of a response, written no faster than the visitor takes it. */
export class ResponseSink {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal;

  constructor(response: ServerResponse, signal: AbortSignal) {
    this.#response = response;
    this.#signal = signal;
  }

  /**
   * Settles when the bytes have left for the system: only then may their buffer be used again. Rejects when `signal` aborts and
   * when the visitor takes nothing for `stallMs`; the caller then destroys the connection.
   */
  async write(bytes: Buffer): Promise<void> {
    this.#signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => reject(this.#signal.reason);
    const stall = setTimeout(() => reject(new Error('the visitor stopped reading')), stallMs);
    this.#signal.addEventListener('abort', onAbort, { once: true });
    this.#response.write(bytes, (error) => (error ? reject(error) : resolve()));
    try {
      await promise;
    } finally {
      clearTimeout(stall);
      this.#signal.removeEventListener('abort', onAbort);
    }
  }

  end(): void {
    this.#response.end();
  }
}
