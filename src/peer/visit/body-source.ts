import type { IncomingMessage } from 'node:http';

/** Takes a body. `end` or `fail` is called once, and nothing after it. */
export interface BodyReceiver {
  /** The memory is lent for the call only. More can come after a pause, of what had arrived already. */
  readonly bytes: (chunk: Uint8Array) => void;
  readonly end: () => void;
  /** Node's error, or undefined when the connection just ended too early. */
  readonly fail: (error: unknown) => void;
}

/** The body of an answer, read by pushing. Whoever holds it reads it to the end or destroys it. */
export interface BodySource {
  /** Begins; what broke before comes out as a failure. */
  read(receiver: BodyReceiver): void;
  pause(): void;
  resume(): void;
  destroy(): void;
}

/** The body of an answer that Node's HTTP client received; its connection is used again afterwards. */
export class ResponseBody implements BodySource {
  readonly #response: IncomingMessage;

  constructor(response: IncomingMessage) {
    this.#response = response;
  }

  read({ bytes, end, fail }: BodyReceiver): void {
    const response = this.#response;
    let isOver = false;
    const finish = (report: () => void): void => {
      if (isOver) return;
      isOver = true;
      response.off('data', bytes);
      report();
    };
    // Stays: destroying can report once more.
    response.on('error', (error) => finish(() => fail(error)));
    response.on('end', () => finish(end));
    response.on('close', () => finish(() => fail(undefined)));
    if (response.destroyed) finish(() => fail(undefined));
    else response.on('data', bytes);
  }

  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  destroy(): void {
    this.#response.destroy();
  }
}
