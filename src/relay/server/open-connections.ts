import type { Server, Socket } from 'node:net';
import { type TLSSocket, Server as TlsServer } from 'node:tls';
import type { Logger } from 'pino';
import { addressKind, networkOf, parseIpAddress } from '../../wire/ip-address.ts';
import { tcpSocketOf } from './tcp-socket-of.ts';

export interface OpenConnectionsOptions {
  readonly log: Logger;
  /** Connections that one network address (of IPv6 the /64) may hold at once. */
  readonly perNetworkMax?: number;
  /** Addresses that are not counted; default: this machine's own, where a proxy stands for many people. */
  readonly isUncounted?: (address: string) => boolean;
}

/** A large household behind one address has a tenth of this; one that wants to shut the others out needs many networks. */
export const perNetworkMaxDefault = 1024;

/** A server's TCP connections, from before their TLS handshake to their end. */
export class OpenConnections {
  readonly #sockets = new Set<Socket>();
  readonly #countByNetwork = new Map<string, number>();
  readonly #options: OpenConnectionsOptions;
  /** Of a TLS server: whose handshake is not done. */
  readonly #handshaking = new Set<Socket>();

  constructor(server: Server, options: OpenConnectionsOptions) {
    this.#options = options;
    server.on('connection', (socket: Socket) => {
      if (server instanceof TlsServer) this.#handshaking.add(socket);
      this.#accept(socket);
    });
    server.on('secureConnection', (secured: TLSSocket) => {
      const socket = tcpSocketOf(secured);
      if (socket !== undefined) this.#handshaking.delete(socket);
    });
  }

  get count(): number {
    return this.#sockets.size;
  }

  /** Ends those that are still in their handshake, which nobody has asked anything on. */
  destroyUnused(): void {
    for (const socket of this.#handshaking) socket.destroy();
  }

  /** Ends all of them at once. */
  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    const { log, perNetworkMax = perNetworkMaxDefault, isUncounted = isLoopback } = this.#options;
    const address = socket.remoteAddress ?? '';
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#handshaking.delete(socket);
    });
    if (isUncounted(address)) return;
    const network = networkOf(address);
    const count = (this.#countByNetwork.get(network) ?? 0) + 1;
    if (count > perNetworkMax) {
      log.warn({ network }, 'too many connections from one network');
      socket.destroy();
      return;
    }
    this.#countByNetwork.set(network, count);
    socket.once('close', () => {
      const left = (this.#countByNetwork.get(network) ?? 1) - 1;
      if (left > 0) this.#countByNetwork.set(network, left);
      else this.#countByNetwork.delete(network);
    });
  }
}

function isLoopback(address: string): boolean {
  const canonical = parseIpAddress(address);
  return canonical !== undefined && addressKind(canonical) === 'loopback';
}
