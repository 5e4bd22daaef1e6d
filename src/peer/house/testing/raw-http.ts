import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** An answer as it stood on the wire. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** False when the connection ended before the body did. */
  readonly isWhole: boolean;
  json(): unknown;
  text(): string;
}

/**
 * A bare HTTP/1.1 client: what is given as target goes onto the wire byte for byte. Every other client tidies `..`, `//`,
 * spaces and control characters away, which would test the client.
 */
export class RawConnection implements AsyncDisposable {
  readonly socket: Socket;
  #chunks: Buffer[] = [];
  #length = 0;
  #isEnded = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#chunks.push(bytes);
      this.#length += bytes.length;
      this.#wake();
    });
    const ended = (): void => {
      this.#isEnded = true;
      this.#wake();
    };
    socket.on('end', ended).on('close', ended).on('error', ended);
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    socket.setNoDelay(true);
    return new RawConnection(socket);
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** `target` may hold any bytes, as latin1. */
  send(target: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): void {
    const lines = Object.entries({ Host: 'house', ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    this.socket.write(Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'));
  }

  async ask(
    target: string,
    headers: Readonly<Record<string, string>> = {},
    method = 'GET',
  ): Promise<RawAnswer> {
    this.send(target, headers, method);
    return await this.read(method);
  }

  /** The next answer to a request of `method`. A connection that ends before any is status 0. */
  async read(method = 'GET'): Promise<RawAnswer> {
    let headEnd = -1;
    await this.#until(() => {
      headEnd = this.#received().indexOf('\r\n\r\n');
      return headEnd !== -1;
    });
    if (headEnd === -1) return answerOf(0, {}, this.#take(this.#length), false);
    const [statusLine = '', ...fields] = this.#take(headEnd + 4)
      .toString('latin1')
      .trimEnd()
      .split('\r\n');
    const status = Number(statusLine.split(' ')[1]);
    const headers: Record<string, string> = {};
    for (const field of fields) {
      const colon = field.indexOf(':');
      headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
    }
    if (method === 'HEAD' || status === 304) return answerOf(status, headers, Buffer.alloc(0), true);
    if (headers['transfer-encoding'] === 'chunked') return await this.#readChunks(status, headers);
    const length = headers['content-length'];
    if (length === undefined) {
      await this.#until(() => false);
      return answerOf(status, headers, this.#take(this.#length), true);
    }
    await this.#until(() => this.#length >= Number(length));
    const body = this.#take(Math.min(Number(length), this.#length));
    return answerOf(status, headers, body, body.length === Number(length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return;
    const closed = once(this.socket, 'close');
    this.socket.destroy();
    await closed;
  }

  async #readChunks(status: number, headers: Readonly<Record<string, string>>): Promise<RawAnswer> {
    const chunks: Buffer[] = [];
    for (;;) {
      let lineEnd = -1;
      await this.#until(() => {
        lineEnd = this.#received().indexOf('\r\n');
        return lineEnd !== -1;
      });
      if (lineEnd === -1) return answerOf(status, headers, Buffer.concat(chunks), false);
      const length = Number.parseInt(this.#take(lineEnd + 2).toString('latin1'), 16);
      await this.#until(() => this.#length >= length + 2);
      if (this.#length < length + 2) return answerOf(status, headers, Buffer.concat(chunks), false);
      chunks.push(this.#take(length));
      this.#take(2);
      if (length === 0) return answerOf(status, headers, Buffer.concat(chunks), true);
    }
  }

  /** Waits until `isDone` or the end of the connection. */
  async #until(isDone: () => boolean): Promise<void> {
    while (!isDone() && !this.#isEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** What has come and was not taken, in one piece: put together when it is looked at, not for each packet. */
  #received(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #take(length: number): Buffer {
    const received = this.#received();
    this.#chunks = [received.subarray(length)];
    this.#length -= length;
    return received.subarray(0, length);
  }
}

function answerOf(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
  isWhole: boolean,
): RawAnswer {
  return {
    status,
    headers,
    body,
    isWhole,
    json: () => JSON.parse(body.toString()),
    text: () => body.toString(),
  };
}
