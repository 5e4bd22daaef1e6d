import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { peerCertificate } from '../connect-pinned.ts';
import type { KeyAndCertificate } from '../create-identity.ts';
import { type Fingerprint, fingerprintOf } from '../fingerprint.ts';

export interface TestTlsServer extends AsyncDisposable {
  readonly port: number;
  /** Connections so far, secure or not. */
  readonly connections: number;
  /** Connections that finished their handshake, in order. */
  readonly secured: readonly TLSSocket[];
  /** The certificates that their clients showed. */
  readonly shown: readonly (Fingerprint | undefined)[];
  /** Everything that clients said inside TLS, beyond the handshakes. */
  received(): string;
  /** Resolves when every connection that was made has ended: what was not received by then was never sent. */
  idle(): Promise<void>;
}

/** A bare TLS server on loopback that asks for a client certificate, takes any and keeps what it hears. */
export async function tlsServer(
  identity: KeyAndCertificate,
  options: TlsOptions & { readonly port?: number } = {},
): Promise<TestTlsServer> {
  const { port = 0, ...tls } = options;
  const secured: TLSSocket[] = [];
  const shown: (Fingerprint | undefined)[] = [];
  const open = new Set<Socket>();
  let connections = 0;
  const heard: Buffer[] = [];
  const server = createServer({
    key: identity.keyPem,
    cert: identity.certificatePem,
    requestCert: true,
    rejectUnauthorized: false,
    ...tls,
  });
  server.on('connection', (socket: Socket) => {
    connections += 1;
    open.add(socket);
    socket.on('close', () => {
      open.delete(socket);
      if (open.size === 0) server.emit('idle');
    });
  });
  server.on('secureConnection', (socket) => {
    secured.push(socket);
    // Once it is closed it remembers no certificate.
    const certificate = peerCertificate(socket);
    shown.push(certificate && fingerprintOf(certificate));
    socket.on('data', (bytes: Buffer) => heard.push(bytes));
    socket.on('error', () => socket.destroy());
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    secured,
    shown,
    received: () => Buffer.concat(heard).toString(),
    async idle() {
      if (open.size > 0) await once(server, 'idle');
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A bare TCP server on loopback. */
export async function tcpServer(
  onConnection: (socket: Socket) => void,
): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
