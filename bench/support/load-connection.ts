import type { TcpNetConnectOpts } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { AnswerReader } from './answer-reader.ts';
import type { Person } from './certificate-fixtures.ts';

/** A handshake that takes longer than this on loopback has failed. */
const handshakeMs = 10_000;

/** One read takes at most this much; a TLS record holds 16 KiB. */
const readBytesMax = 65_536;

/** All connections read into the same memory: an answer is looked at before the next read, and not kept. */
const readMemory = Buffer.allocUnsafeSlow(readBytesMax);

/**
 * One keep-alive mutual-TLS connection with at most one request outstanding. Requests are bytes made before,
 * so that the generator costs little beside the server it loads.
 */
export class LoadConnection implements AsyncDisposable {
  readonly person: Person;
  readonly #socket: TLSSocket;
  readonly #reader = new AnswerReader();
  #waiting:
    | { readonly answered: (status: number) => void; readonly failed: (error: Error) => void }
    | undefined;
  #failure: Error | undefined;

  /** Opens a connection as `person`, from that person's own address. Rejects when the handshake fails or takes too long. */
  static async open(person: Person, port: number): Promise<LoadConnection> {
    let connection: LoadConnection | undefined;
    // `tls.connect` hands what it does not know on to the socket: documented, and missing in its types.
    const options: ConnectionOptions & TcpNetConnectOpts = {
      host: '127.0.0.1',
      port,
      localAddress: person.sourceAddress,
      secureContext: secureContextOf(person),
      minVersion: 'TLSv1.3',
      rejectUnauthorized: false,
      onread: {
        buffer: readMemory,
        callback: (byteCount) => {
          connection?.receive(byteCount);
          return true;
        },
      },
    };
    const socket = connect(options);
    connection = new LoadConnection(person, socket);
    await connection.#opened(port);
    return connection;
  }

  private constructor(person: Person, socket: TLSSocket) {
    this.person = person;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('error', (cause) => this.#fail(cause));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  /** The group of the key exchange, such as `X25519MLKEM768`, and the cipher. */
  get security(): string {
    const key = this.#socket.getEphemeralKeyInfo();
    const group = key !== null && 'name' in key ? key.name : undefined;
    return `${group ?? 'group not told'}, ${this.#socket.getCipher().name}`;
  }

  get bodyBytes(): number {
    return this.#reader.bodyBytes;
  }

  /** Sends a request and calls `answered` with the status, or `failed`: cheaper in a loop than a promise. */
  send(request: Buffer, answered: (status: number) => void, failed: (error: Error) => void): void {
    if (this.#failure !== undefined) {
      failed(this.#failure);
      return;
    }
    this.#waiting = { answered, failed };
    this.#socket.write(request);
  }

  /** Sends a request and resolves to the status of its answer. */
  async ask(request: Buffer): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.send(request, resolve, reject);
    try {
      return await promise;
    } catch (cause) {
      throw new Error(`Cannot get an answer for ${this.person.email}`, { cause });
    }
  }

  /** Ends the connection and resolves once the server has ended it too. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.once('close', () => resolve());
    this.#socket.end();
    await promise;
  }

  private receive(byteCount: number): void {
    try {
      const status = this.#reader.push(readMemory.subarray(0, byteCount));
      if (status === undefined) return;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.answered(status);
    } catch (error) {
      this.#socket.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #opened(port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`no handshake in ${handshakeMs} ms`)), handshakeMs);
    this.#socket.once('secureConnect', resolve);
    this.#waiting = { answered: () => undefined, failed: reject };
    try {
      await promise;
      this.#waiting = undefined;
    } catch (cause) {
      this.#socket.destroy();
      throw new Error(`Cannot open a connection to 127.0.0.1:${port} from ${this.person.sourceAddress}`, {
        cause,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  #fail(cause: Error): void {
    this.#failure ??= cause;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.failed(cause);
  }
}

const contextByPerson = new WeakMap<Person, SecureContext>();

function secureContextOf(person: Person): SecureContext {
  let context = contextByPerson.get(person);
  if (context === undefined) {
    context = createSecureContext({ cert: person.certificatePem, key: person.keyPem, minVersion: 'TLSv1.3' });
    contextByPerson.set(person, context);
  }
  return context;
}
