import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { KeyAndCertificate } from '../../identity/create-identity.ts';
import { networkOf } from '../../wire/ip-address.ts';
import { clientHelloBytesMax, parseClientHello } from './client-hello.ts';
import { listenInRange, type PortRange } from './port-range.ts';

export interface HousePortOptions {
  readonly identity: KeyAndCertificate;
  readonly ports: PortRange;
  /** `loopback`: only this machine can connect. */
  readonly interface: 'all' | 'loopback';
  readonly onRequest: RequestListener;
  readonly log: Logger;
  readonly limits?: Partial<HousePortLimits>;
}

export interface HousePortLimits {
  /** From the connection to the whole ClientHello. */
  readonly helloTimeoutMs: number;
  /** Until a part of an answer (half a megabyte of a file) is taken: somebody may read the rest of a file after lunch, not tomorrow. */
  readonly stallTimeoutMs: number;
  /** Visitors' connections at once: a few for each of a hundred people. */
  readonly connectionsMax: number;
  /** One network address (of IPv6 the /64) may hold this many of them, so that one visitor cannot shut out the rest. */
  readonly connectionsPerNetworkMax: number;
}

const limitDefaults: HousePortLimits = {
  helloTimeoutMs: 5000,
  stallTimeoutMs: 3_600_000,
  connectionsMax: 512,
  connectionsPerNetworkMax: 128,
};

const handshakeTimeoutMs = 10_000;
const headersTimeoutMs = 10_000;
/** Requests to a house have no body worth waiting for. */
const requestTimeoutMs = 30_000;
/** Longer than the minute between two health checks, so that a friend's connection serves the next one. */
const keepAliveTimeoutMs = 75_000;
/** Time to take the line below, before the connection is cut. */
const lingerMs = 1000;

const plainHttpText = 'This port speaks HTTPS with client certificates: use https://.\n';

/**
 * The one port of a house. It reads the whole ClientHello before anybody answers and hands the connection, those bytes
 * put back, to the server for the protocol that ALPN names: now HTTPS for everything, later links beside it.
 */
export class HousePort implements AsyncDisposable {
  readonly #listener: Server;
  readonly #https: HttpsServer;
  readonly #log: Logger;
  readonly #limits: HousePortLimits;
  readonly #sockets = new Set<Socket>();
  readonly #countByNetwork = new Map<string, number>();
  /** Connections whose handshake is not over, by address and port of the other end; the oldest first. */
  readonly #unprovenByEnd = new Map<string, Socket>();

  private constructor(options: HousePortOptions) {
    this.#log = options.log;
    this.#limits = { ...limitDefaults, ...options.limits };
    this.#https = createHttpsServer(
      {
        ...tlsOptions(options.identity),
        handshakeTimeout: handshakeTimeoutMs,
        headersTimeout: headersTimeoutMs,
        requestTimeout: requestTimeoutMs,
        keepAliveTimeout: keepAliveTimeoutMs,
      },
      (request, response) => {
        endWhenStalled(response);
        options.onRequest(request, response);
      },
    );
    this.#https.timeout = this.#limits.stallTimeoutMs;
    this.#https.on('tlsClientError', (_error, socket) => socket.destroy());
    this.#https.on('secureConnection', (socket) => this.#unprovenByEnd.delete(otherEndOf(socket)));
    this.#listener = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    // One more than there are places: who comes when all are taken may get that of somebody who says nothing.
    this.#listener.maxConnections = this.#limits.connectionsMax + 1;
  }

  /** @throws an error that names the ports when none of them is free. */
  static async open(options: HousePortOptions): Promise<HousePort> {
    const port = new HousePort(options);
    await listenInRange(port.#listener, options.ports, options.interface);
    // A connection that cannot be accepted (no file descriptor, no memory) is this connection's end, not the house's.
    port.#listener.on('error', (error) => options.log.error({ err: error }, 'cannot accept a visitor'));
    return port;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  /** New connections are shown this certificate. */
  renewIdentity(identity: KeyAndCertificate): void {
    this.#https.setSecureContext(tlsOptions(identity));
  }

  /** Stops listening and cuts every connection: a download that is cut is resumed by its downloader. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    this.#https.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const network = networkOf(socket.remoteAddress ?? '');
    if (!this.#makeRoom(network)) {
      this.#log.warn({ network }, 'a visitor was turned away: too many connections');
      socket.destroy();
      return;
    }
    this.#countByNetwork.set(network, (this.#countByNetwork.get(network) ?? 0) + 1);
    this.#sockets.add(socket);
    // Its addresses cannot be read any more once it is closed.
    const end = otherEndOf(socket);
    this.#unprovenByEnd.set(end, socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      if (this.#unprovenByEnd.get(end) === socket) this.#unprovenByEnd.delete(end);
      if (this.#sockets.has(socket)) this.#forget(socket, network);
    });
    this.#readHello(socket);
  }

  #forget(socket: Socket, network: string): void {
    this.#sockets.delete(socket);
    const left = (this.#countByNetwork.get(network) ?? 1) - 1;
    if (left > 0) this.#countByNetwork.set(network, left);
    else this.#countByNetwork.delete(network);
  }

  /**
   * Whether there is a place for one more of `network`. When there is none, the connection that has been in its handshake
   * for longest gives up its own: opening connections and saying nothing costs nobody anything, and must not shut out visitors.
   */
  #makeRoom(network: string): boolean {
    const { connectionsMax, connectionsPerNetworkMax } = this.#limits;
    if ((this.#countByNetwork.get(network) ?? 0) >= connectionsPerNetworkMax)
      return this.#dropUnproven((other) => other === network);
    return this.#sockets.size < connectionsMax || this.#dropUnproven(() => true);
  }

  #dropUnproven(isChosen: (network: string) => boolean): boolean {
    for (const [end, socket] of this.#unprovenByEnd) {
      const network = networkOf(socket.remoteAddress ?? '');
      if (!isChosen(network)) continue;
      this.#unprovenByEnd.delete(end);
      this.#forget(socket, network);
      socket.destroy();
      return true;
    }
    return false;
  }

  #readHello(socket: Socket): void {
    let bytes: Buffer = Buffer.alloc(0);
    const timer = setTimeout(() => socket.destroy(), this.#limits.helloTimeoutMs);
    const stop = (): void => {
      clearTimeout(timer);
      socket.removeListener('data', onData);
      socket.removeListener('close', stop);
    };
    const onData = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const hello = parseClientHello(bytes);
      if (hello.kind === 'partial' && bytes.length <= clientHelloBytesMax) return;
      stop();
      socket.pause();
      if (hello.kind !== 'hello') {
        refuse(socket, hello.kind === 'not-tls' && hello.isHttp);
        return;
      }
      socket.unshift(bytes);
      this.#https.emit('connection', socket);
    };
    socket.on('data', onData);
    socket.once('close', stop);
  }
}

/** Where a request came from, IPv4-mapped IPv6 written as IPv4. */
export function remoteAddressOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}

/** Names one connection to this port, as its TCP and its TLS socket both tell it. */
function otherEndOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function refuse(socket: Socket, isHttp: boolean): void {
  if (!isHttp) {
    socket.destroy();
    return;
  }
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${plainHttpText.length}\r\nconnection: close\r\n\r\n${plainHttpText}`,
  );
  // What is still being sent is dropped meanwhile: closing on it at once would take the line away again.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
}

/** Called when nothing moved for a while: an answer that is being made (a digest) may take its time, one that is not taken may not. */
function endWhenStalled(response: ServerResponse): void {
  response.on('timeout', (socket: Socket) => {
    if (response.writableLength > 0) socket.destroy();
  });
}

function tlsOptions(identity: KeyAndCertificate) {
  return {
    key: identity.keyPem,
    cert: identity.certificatePem,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    // The hybrid first; curl with OpenSSL 3.0 knows the others.
    ecdhCurve: 'X25519MLKEM768:X25519:P-256',
    ALPNProtocols: ['http/1.1'],
  } as const;
}
