import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { KeyAndCertificate } from '../../identity/create-identity.ts';

export interface TestHttpsServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Connections that finished their handshake so far. */
  readonly connections: number;
  /** Requests so far, as `GET /path`. */
  readonly requests: readonly string[];
  /** Cuts every connection, as a crash would. */
  cut(): void;
}

/** A real HTTPS server on loopback that asks for a client certificate and takes any, as relays and houses do. */
export async function httpsServer(
  identity: KeyAndCertificate,
  onRequest: RequestListener,
  options: { readonly host?: string; readonly port?: number } = {},
): Promise<TestHttpsServer> {
  const { host = '127.0.0.1', port = 0 } = options;
  const requests: string[] = [];
  const sockets = new Set<TLSSocket>();
  let connections = 0;
  const server = createServer(
    { key: identity.keyPem, cert: identity.certificatePem, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      requests.push(`${request.method} ${request.url}`);
      onRequest(request, response);
    },
  );
  server.on('secureConnection', (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(port, host);
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    host,
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    requests,
    cut,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}

/** Answers with JSON. */
export function answerJson(
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(value));
  };
}
