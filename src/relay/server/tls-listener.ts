import { constants } from 'node:crypto';
import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { KeyAndCertificate } from '../../identity/create-identity.ts';
import { answerClientErrors } from './client-error.ts';
import { tcpSocketOf } from './tcp-socket-of.ts';

export interface ListenerTimeouts {
  /** From the connection to the end of the TLS handshake: a phone on a bad network takes a few seconds. */
  readonly handshakeMs: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headersMs: number;
  /** From the first byte of a request to the last of its body, 64 KB at most. */
  readonly requestMs: number;
  /** Between requests: longer than a minute, so that clients which ping each minute keep their connection. */
  readonly keepAliveMs: number;
  /**
   * Until a part of an answer is taken (a list is written in parts of a thousand peers): who does not has gone, or wants to
   * hold our memory. Node does not see progress within a part: its TLS handles do not say how much of a write is left.
   */
  readonly stallMs: number;
}

export const listenerTimeouts: ListenerTimeouts = {
  handshakeMs: 10_000,
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 75_000,
  stallMs: 60_000,
};

/** 50 KiB of TLS state each (measured): 20,000 connections are a gigabyte. */
export const connectionsMaxDefault = 20_000;

export interface TlsListenerOptions {
  readonly certificate: KeyAndCertificate;
  readonly onRequest: RequestListener;
  readonly connectionsMax?: number;
  readonly timeouts?: ListenerTimeouts;
}

/**
 * HTTPS that asks for a client certificate and takes any (mission T6): who somebody is, the application decides.
 *
 * Somebody who speaks plain HTTP to it gets a line to read before the connection closes.
 */
export function createTlsListener(options: TlsListenerOptions): Server {
  const { certificate, onRequest, connectionsMax = connectionsMaxDefault } = options;
  const timeouts = options.timeouts ?? listenerTimeouts;
  const server = createServer(
    { ...tlsOptions(certificate), ...httpOptions(timeouts), handshakeTimeout: timeouts.handshakeMs },
    onRequest,
  );
  server.timeout = timeouts.stallMs;
  server.maxConnections = connectionsMax;
  server.on('tlsClientError', (error, socket) => {
    if ('code' in error && error.code === 'ERR_SSL_HTTP_REQUEST') tellToUseTls(socket);
    socket.destroy();
  });
  answerClientErrors(server);
  return server;
}

/** Plain HTTP on loopback, for development and for a proxy that ends TLS; nobody is anybody here. */
export function createPlainListener(onRequest: RequestListener): HttpServer {
  const server = createHttpServer(httpOptions(listenerTimeouts), onRequest);
  server.timeout = listenerTimeouts.stallMs;
  server.maxConnections = connectionsMaxDefault;
  answerClientErrors(server);
  return server;
}

function httpOptions(timeouts: ListenerTimeouts) {
  return {
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    // Node looks for the two above this often; its default, 30 s, would make them both up to 40 and 60.
    connectionsCheckingInterval: Math.min(5000, timeouts.headersMs),
  };
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
    // Clients come back after hours, not seconds, and do not resume; a ticket would carry their whole certificate.
    secureOptions: constants.SSL_OP_NO_TICKET,
    // X25519 first for curl and browsers of today, the post-quantum hybrid for those who offer it (our own clients).
    ecdhCurve: 'X25519MLKEM768:X25519:P-256:P-384',
  } as const;
}

/** Said in plain text on the TCP connection, which the failed TLS socket still holds. */
function tellToUseTls(socket: TLSSocket): void {
  const text = 'This port speaks HTTPS: use https:// instead of http://, or wss:// instead of ws://.\n';
  tcpSocketOf(socket)?.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`,
  );
}
