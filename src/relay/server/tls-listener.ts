import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { KeyAndCertificate } from '../../identity/create-identity.ts';

/** From the connection to the end of the TLS handshake: a phone on a bad network takes a few seconds. */
const handshakeTimeoutMs = 10_000;
/** From the first byte of a request to the end of its headers. */
const headersTimeoutMs = 10_000;
/** From the first byte of a request to the last of its body, 64 KB at most. */
const requestTimeoutMs = 30_000;
/** Between requests: longer than a minute, so that clients which ping each minute keep their connection. */
const keepAliveTimeoutMs = 75_000;
/** 50 KiB of TLS state each (measured): 20,000 connections are a gigabyte. */
const connectionsMaxDefault = 20_000;

/**
 * HTTPS that asks for a client certificate and takes any (mission T6): who somebody is, the application decides.
 *
 * Somebody who speaks plain HTTP to it gets a line to read before the connection closes.
 */
export function createTlsListener(
  certificate: KeyAndCertificate,
  onRequest: RequestListener,
  connectionsMax: number = connectionsMaxDefault,
): Server {
  const server = createServer(
    {
      ...tlsOptions(certificate),
      handshakeTimeout: handshakeTimeoutMs,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
    },
    onRequest,
  );
  server.maxConnections = connectionsMax;
  server.on('tlsClientError', (error, socket) => {
    if ('code' in error && error.code === 'ERR_SSL_HTTP_REQUEST') tellToUseTls(socket);
    socket.destroy();
  });
  return server;
}

/** Replaces the server's certificate for new connections; those that are open go on. */
export function renewTlsCertificate(server: Server, certificate: KeyAndCertificate): void {
  server.setSecureContext(tlsOptions(certificate));
}

function tlsOptions(certificate: KeyAndCertificate) {
  return {
    key: certificate.keyPem,
    cert: certificate.certificatePem,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    // X25519 first for curl and browsers of today, the post-quantum hybrid for those who offer it (our own clients).
    ecdhCurve: 'X25519MLKEM768:X25519:P-256:P-384',
  } as const;
}

/** The failed TLS socket still holds the TCP connection, which Node names only `_parent`; without it nothing is said. */
function tellToUseTls(socket: TLSSocket): void {
  const parent: unknown = Reflect.get(socket, '_parent');
  if (!isOpenSocket(parent)) return;
  const text = 'This port speaks HTTPS: use https:// instead of http://, or wss:// instead of ws://.\n';
  parent.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`,
  );
}

function isOpenSocket(value: unknown): value is Socket {
  return typeof value === 'object' && value !== null && 'writable' in value && value.writable === true;
}
