import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { addAbortSignal, type Duplex } from 'node:stream';
import { ByteCollector } from '../util/byte-collector.ts';
import { linkAbort } from '../util/deadline.ts';
import { Places } from '../util/places.ts';
import { bracketed } from '../wire/ip-address.ts';
import { connectPinned, type PinnedConnectOptions } from './connect-pinned.ts';

export interface PinnedClientOptions extends Omit<PinnedConnectOptions, 'signal'> {
  /** Idle connections kept for the next request. */
  readonly idleSocketsMax?: number;
  /** Connections, and so requests, at once; further ones wait, no longer than for an answer. */
  readonly socketsMax?: number;
  /** Longest wait for a connection and its handshake. */
  readonly connectTimeoutMs?: number;
  /** A connection made already (the winner of a race), used for the first request. */
  readonly firstSocket?: Duplex;
}

export interface PinnedRequest {
  readonly method: string;
  /** Path and query, encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
  /** Longest wait for the answer's head, from the call. */
  readonly headTimeoutMs?: number;
}

/** Past a slow phone network's worst handshake, before a person gives up. */
const connectTimeoutMsDefault = 10_000;
const headTimeoutMsDefault = 30_000;

const socketsMaxDefault = 16;

/** An HTTP/1.1 client of one peer or relay; each of its connections is opened by {@link connectPinned}. */
export class PinnedClient implements Disposable {
  readonly #agent: PinnedAgent;
  readonly #options: PinnedClientOptions;
  /** Node's agent does not count connections that are still being made: 100 requests at once would make 100. */
  readonly #places: Places;

  constructor(options: PinnedClientOptions) {
    this.#options = options;
    this.#agent = new PinnedAgent(options);
    this.#places = new Places(options.socketsMax ?? socketsMaxDefault);
  }

  /** Resolves with the answer's head; the body is the stream itself, and the caller reads or destroys it. */
  async send(options: PinnedRequest): Promise<IncomingMessage> {
    const { method, signal, headTimeoutMs = headTimeoutMsDefault } = options;
    const { host, port } = this.#options;
    using head = linkAbort(signal, this.#agent.lifetime);
    const timer = setTimeout(
      () => head.abort(new Error(`${method} to ${host}:${port}: no answer within ${headTimeoutMs} ms`)),
      headTimeoutMs,
    );
    try {
      const place = await this.#places.take(head.signal);
      const leave = (): void => place[Symbol.dispose]();
      if (head.signal.aborted) {
        leave();
        throw head.signal.reason;
      }
      const outgoing = this.#request(options);
      outgoing.once('close', leave);
      // A destroyed request says so once it has a connection, which may take its whole timeout to fail: nobody waits for that.
      head.signal.addEventListener('abort', leave, { once: true });
      const response = await headOf(outgoing, head.signal);
      if (signal !== undefined) addAbortSignal(signal, response);
      return response;
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #request({ method, path, headers, body }: PinnedRequest): ClientRequest {
    const { host, port } = this.#options;
    const outgoing = request({
      agent: this.#agent,
      method,
      path,
      host,
      port,
      headers: {
        host: `${bracketed(host)}:${port}`,
        ...(body !== undefined && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        }),
        ...headers,
      },
    });
    outgoing.end(body);
    return outgoing;
  }
}

function headOf(outgoing: ClientRequest, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason);
      outgoing.destroy();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    outgoing.on('response', (response) => {
      signal.removeEventListener('abort', onAbort);
      resolve(response);
    });
    outgoing.on('error', (error) => {
      signal.removeEventListener('abort', onAbort);
      reject(error);
    });
  });
}

class PinnedAgent extends Agent {
  readonly #pinned: PinnedClientOptions;
  /** Ends what is still being connected or waits when the agent is destroyed; Node's agent knows only what is connected. */
  readonly #lifetime = new AbortController();
  #firstSocket: Duplex | undefined;

  constructor(options: PinnedClientOptions) {
    super({
      keepAlive: true,
      maxFreeSockets: options.idleSocketsMax ?? 4,
      maxSockets: options.socketsMax ?? socketsMaxDefault,
      scheduling: 'lifo',
    });
    this.#pinned = options;
    this.#firstSocket = options.firstSocket;
  }

  get lifetime(): AbortSignal {
    return this.#lifetime.signal;
  }

  override createConnection(
    _options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const first = this.#firstSocket;
    this.#firstSocket = undefined;
    if (first !== undefined && !first.destroyed) return first;
    const { connectTimeoutMs = connectTimeoutMsDefault, ...connectOptions } = this.#pinned;
    const link = linkAbort(this.#lifetime.signal);
    const timer = setTimeout(
      () =>
        link.abort(
          new Error(
            `${connectOptions.host}:${connectOptions.port} did not answer within ${connectTimeoutMs} ms`,
          ),
        ),
      connectTimeoutMs,
    );
    connectPinned({ ...connectOptions, signal: link.signal })
      .then(
        (socket) => callback?.(null, socket),
        (error: unknown) =>
          callback?.(error instanceof Error ? error : new Error(String(error)), undefined as never),
      )
      .finally(() => {
        clearTimeout(timer);
        link[Symbol.dispose]();
      });
    return undefined;
  }

  override destroy(): void {
    this.#lifetime.abort(new Error('the client was closed'));
    this.#firstSocket?.destroy();
    super.destroy();
  }
}

/** Reads a body as text, up to `bytesMax`; a longer one is an error, and the connection is dropped. */
export async function readBody(response: IncomingMessage, bytesMax: number): Promise<string> {
  const collected = new ByteCollector();
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (collected.length + chunk.length > bytesMax) {
      response.destroy();
      throw new Error(`The answer is longer than ${bytesMax} bytes`);
    }
    collected.add(chunk);
  }
  return collected.text();
}
