import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { KeyAndCertificate } from '../../identity/create-identity.ts';
import { clientHelloBytesMax, parseClientHello } from './client-hello.ts';
import { listenInRange, type PortRange } from './port-range.ts';

export interface HousePortOptions {
  readonly identity: KeyAndCertificate;
  readonly ports: PortRange;
  /** `loopback`: only this machine can connect. */
  readonly interface: 'all' | 'loopback';
  readonly onRequest: RequestListener;
  readonly log: Logger;
}

/** From the connection to the whole ClientHello. */
const helloTimeoutMs = 5000;
const handshakeTimeoutMs = 10_000;
const headersTimeoutMs = 10_000;
/** Requests to a house have no body worth waiting for. */
const requestTimeoutMs = 30_000;
/** Longer than the minute between two health checks, so that a friend's connection serves the next one. */
const keepAliveTimeoutMs = 75_000;
/** Visitors' connections at once: a few for each of a hundred people. */
const connectionsMax = 512;
/** One address may hold this many of them, so that one visitor cannot shut out the rest. */
const connectionsPerAddressMax = 128;

const plainHttpText = 'This port speaks HTTPS with client certificates: use https://.\n';

/**
 * The one port of a house. It reads the whole ClientHello before anybody answers and hands the connection, those bytes
 * put back, to the server for the protocol that ALPN names: now HTTPS for everything, later links beside it.
 */
export class HousePort implements AsyncDisposable {
  readonly #listener: Server;
  readonly #https: HttpsServer;
  readonly #log: Logger;
  readonly #sockets = new Set<Socket>();
  readonly #countByAddress = new Map<string, number>();

  private constructor(options: HousePortOptions) {
    this.#log = options.log;
    this.#https = createHttpsServer(
      {
        ...tlsOptions(options.identity),
        handshakeTimeout: handshakeTimeoutMs,
        headersTimeout: headersTimeoutMs,
        requestTimeout: requestTimeoutMs,
        keepAliveTimeout: keepAliveTimeoutMs,
      },
      options.onRequest,
    );
    this.#https.on('tlsClientError', (_error, socket) => socket.destroy());
    this.#listener = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#listener.maxConnections = connectionsMax;
  }

  /** @throws an error that names the ports when none of them is free. */
  static async open(options: HousePortOptions): Promise<HousePort> {
    const port = new HousePort(options);
    await listenInRange(port.#listener, options.ports, options.interface);
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
    const address = socket.remoteAddress ?? '';
    const count = (this.#countByAddress.get(address) ?? 0) + 1;
    if (count > connectionsPerAddressMax) {
      this.#log.warn({ address }, 'too many connections from one address');
      socket.destroy();
      return;
    }
    this.#countByAddress.set(address, count);
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#sockets.delete(socket);
      const left = (this.#countByAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#countByAddress.set(address, left);
      else this.#countByAddress.delete(address);
    });
    this.#readHello(socket);
  }

  #readHello(socket: Socket): void {
    let bytes: Buffer = Buffer.alloc(0);
    const timer = setTimeout(() => socket.destroy(), helloTimeoutMs);
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

/** Host names in answers and errors are the caller's business; this is where a request came from. */
export function remoteAddressOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}

function refuse(socket: Socket, isHttp: boolean): void {
  if (!isHttp) {
    socket.destroy();
    return;
  }
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${plainHttpText.length}\r\nconnection: close\r\n\r\n${plainHttpText}`,
  );
  socket.resume();
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
