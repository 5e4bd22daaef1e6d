import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import pino from 'pino';
import type { KeyAndCertificate } from '../../identity/create-identity.ts';
import { errorCode } from '../../util/error-code.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { relayPaths } from '../../wire/relay-http.ts';
import { type RunningRelay, type RunRelayOptions, runRelay } from '../run-relay.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  json(): unknown;
}

export interface Question {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Text as it is, or a value that becomes JSON. */
  readonly body?: string | object;
}

/** A line of the relay's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

/** Everything that a test may want to change; limits are off unless it says otherwise. */
export type TestRelayOptions = Partial<Omit<RunRelayOptions, 'log'>>;

const unlimited = { clientPerSecond: 1e6, clientBurst: 1e6, addressPerMinute: 1e6, takenPerHour: 1e6 };

/** A real relay on loopback with a store of its own, and clients for it. */
export class TestRelay implements AsyncDisposable {
  readonly folder: string;
  readonly logLines: LogLine[] = [];
  #relay: RunningRelay;
  readonly #cleanup: AsyncDisposable;
  readonly #options: TestRelayOptions;
  #onLog: () => void = () => {};

  private constructor(folder: string, cleanup: AsyncDisposable, options: TestRelayOptions) {
    this.folder = folder;
    this.#cleanup = cleanup;
    this.#options = options;
    this.#relay = undefined as never;
  }

  static async start(options: TestRelayOptions = {}): Promise<TestRelay> {
    const folder = await temporaryFolder();
    const relay = new TestRelay(folder.path, folder, options);
    relay.#relay = await relay.#run();
    return relay;
  }

  /** Stops the relay and starts it on the same data. */
  async restart(): Promise<void> {
    await this.#relay[Symbol.asyncDispose]();
    this.#relay = await this.#run();
  }

  get relay(): RunningRelay {
    return this.#relay;
  }

  get port(): number {
    return this.#relay.port;
  }

  /** One request over a connection of its own, made with `client`'s certificate or with none. */
  ask(client: KeyAndCertificate | undefined, path: string, question: Question = {}): Promise<Answer> {
    const { method = 'GET', headers = {}, body } = question;
    const text = typeof body === 'object' ? JSON.stringify(body) : body;
    return new Promise((resolve, reject) => {
      const outgoing = request({
        ...tlsOptions(this.port, client),
        agent: false,
        method,
        path,
        headers: {
          ...(text !== undefined && {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(text),
          }),
          ...headers,
        },
      });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => void readAnswer(response).then(resolve, reject));
      outgoing.end(text);
    });
  }

  register(client: KeyAndCertificate, email: string, as?: KeyAndCertificate): Promise<Answer> {
    const body = { email, certificate: client.certificatePem };
    return this.ask(as, relayPaths.register, { method: 'POST', body });
  }

  ready(client: KeyAndCertificate, body: object): Promise<Answer> {
    return this.ask(client, relayPaths.ready, { method: 'POST', body });
  }

  lookup(client: KeyAndCertificate, email: string): Promise<Answer> {
    return this.ask(client, `${relayPaths.lookup}?email=${encodeURIComponent(email)}`);
  }

  /** A connection on which a test writes what it likes. */
  async connect(client?: KeyAndCertificate, options: ConnectionOptions = {}): Promise<TLSSocket> {
    const socket = connect({ ...tlsOptions(this.port, client), ...options });
    await once(socket, 'secureConnect');
    return socket;
  }

  /** Sends bytes over TLS and gives everything that comes back until the relay closes. */
  async sendRaw(bytes: string | Buffer, client?: KeyAndCertificate): Promise<string> {
    const socket = await this.connect(client);
    socket.write(bytes);
    return readAll(socket);
  }

  /** The same without TLS. */
  async sendPlain(bytes: string | Buffer): Promise<string> {
    const socket = connectTcp(this.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(bytes);
    return readAll(socket);
  }

  /** The first line of the log, from now or from before, that `isWanted`. */
  async logged(isWanted: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const line = this.logLines.find(isWanted);
      if (line !== undefined) return line;
      await new Promise<void>((resolve) => {
        this.#onLog = resolve;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#relay[Symbol.asyncDispose]();
    await this.#cleanup[Symbol.asyncDispose]();
  }

  #run(): Promise<RunningRelay> {
    const write = (line: string): void => {
      this.logLines.push(JSON.parse(line) as LogLine);
      this.#onLog();
    };
    const { rateLimits, ...options } = this.#options;
    return runRelay({
      port: 0,
      host: '127.0.0.1',
      dataFolder: this.folder,
      ...options,
      rateLimits: { ...unlimited, ...rateLimits },
      log: pino({ level: 'debug' }, { write }),
    });
  }
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return { status: response.statusCode ?? 0, headers: response.headers, text, json: () => JSON.parse(text) };
}

function tlsOptions(port: number, client: KeyAndCertificate | undefined): ConnectionOptions {
  return {
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    ...(client !== undefined && { key: client.keyPem, cert: client.certificatePem }),
  };
}

/** Everything until the end; a connection that is reset ends there, too. */
export async function readAll(socket: AsyncIterable<Buffer> & NodeJS.EventEmitter): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of socket) chunks.push(chunk);
  } catch (error) {
    if (errorCode(error) !== 'ECONNRESET') throw error;
  }
  return Buffer.concat(chunks).toString();
}
