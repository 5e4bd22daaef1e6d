import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { peerCertificate } from '../../identity/connect-pinned.ts';
import { type Fingerprint, fingerprintOf } from '../../identity/fingerprint.ts';

/** What the relay knows of a connection, found out at its first request and kept: parsing a certificate costs more than a look-up. */
export interface ClientConnection {
  /** Undefined when the client showed no certificate. */
  readonly fingerprint: Fingerprint | undefined;
  /** Where it came from, IPv4-mapped IPv6 written as IPv4. */
  readonly address: string;
}

const connectionBySocket = new WeakMap<Socket, ClientConnection>();

export function clientConnection(request: IncomingMessage): ClientConnection {
  const { socket } = request;
  let connection = connectionBySocket.get(socket);
  if (connection === undefined) {
    const certificate = socket instanceof TLSSocket ? peerCertificate(socket) : undefined;
    connection = {
      fingerprint: certificate === undefined ? undefined : fingerprintOf(certificate),
      address: (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, ''),
    };
    connectionBySocket.set(socket, connection);
  }
  return connection;
}
