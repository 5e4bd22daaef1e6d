import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { Server } from 'node:https';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { Readable } from 'node:stream';
import { before, describe, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import pino from 'pino';
import { until } from '../../../test/support/until.ts';
import { createServerCertificate, type KeyAndCertificate } from '../../identity/create-identity.ts';
import { closed } from '../../util/testing/closed.ts';
import { readAll } from '../testing/relay-fixture.ts';
import { OpenConnections } from './open-connections.ts';
import { createTlsListener, listenerTimeouts } from './tls-listener.ts';

const host = '127.0.0.1';
const silent = pino({ level: 'silent' });
/** Far below what a test waits for, far above what a handshake on loopback takes. */
const soonMs = 200;

let certificate: KeyAndCertificate;
before(async () => {
  certificate = await createServerCertificate(['localhost']);
});

interface TestListener extends AsyncDisposable {
  readonly server: Server;
  readonly connections: OpenConnections;
  readonly port: number;
  connect(): Promise<TLSSocket>;
}

async function listen(
  onRequest: RequestListener,
  timeouts: Partial<typeof listenerTimeouts> = {},
  limits: { perNetworkMax?: number; isUncounted?: () => boolean } = {},
): Promise<TestListener> {
  const server = createTlsListener({
    certificate,
    onRequest,
    timeouts: { ...listenerTimeouts, ...timeouts },
  });
  const connections = new OpenConnections(server, { log: silent, ...limits });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    server,
    connections,
    port,
    async connect() {
      const socket = connect({ host, port, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      return socket;
    },
    async [Symbol.asyncDispose]() {
      connections.destroyAll();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('a connection is ended', () => {
  test('when it says nothing, or half a handshake', async () => {
    await using listener = await listen(() => {}, { handshakeMs: soonMs });
    for (const bytes of ['', '\u0016\u0003\u0001\u0002\u0000\u0001']) {
      const socket = connectTcp(listener.port, host);
      await once(socket, 'connect');
      if (bytes !== '') socket.write(bytes, 'latin1');
      await closed(socket);
    }
    await until(
      'the listener has counted them down',
      async () => listener.connections.count === 0 || undefined,
    );
  });

  test('with 408 when a head or a body does not come to its end', async () => {
    await using listener = await listen(() => {}, { headersMs: soonMs, requestMs: soonMs });
    for (const bytes of [
      'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab',
    ]) {
      const socket = await listener.connect();
      socket.write(bytes);
      const answer = await readAll(socket);
      assert.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\n/);
      assert.match(answer, /\{"error":"the request took too long to arrive"\}$/);
    }
  });

  test('when it has been idle for long', async () => {
    await using listener = await listen((_request, response) => void response.end('done'), {
      keepAliveMs: 1,
    });
    const socket = await listener.connect();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.match(await readAll(socket), /done/);
  });

  test('when it takes nothing of a part of an answer, but not while it takes some', async () => {
    const { promise: cut, resolve: onCut } = Promise.withResolvers<void>();
    const parts = 64;
    const part = Buffer.alloc(512 * 1024);
    await using listener = await listen(
      (request, response) => {
        if (request.url === '/stalled') response.on('close', () => onCut());
        Readable.from(Array.from({ length: parts }, () => part)).pipe(response);
      },
      { stallMs: soonMs },
    );
    const stalled = await listener.connect();
    stalled.pause();
    stalled.write('GET /stalled HTTP/1.1\r\nHost: x\r\n\r\n');
    await cut;
    stalled.destroy();

    const slow = await listener.connect();
    slow.write('GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    let received = 0;
    for await (const chunk of slow as AsyncIterable<Buffer>) {
      const before = Math.floor(received / 2_000_000);
      received += chunk.length;
      // Sixteen pauses, together several times the limit.
      const isPause = Math.floor(received / 2_000_000) > before;
      if (isPause) await new Promise((resolve) => setTimeout(resolve, soonMs / 5));
    }
    assert.ok(received > parts * part.length);
  });
});

describe('connections of one network', () => {
  test('are limited together, and counted down when they end', async () => {
    const answer: RequestListener = (_request, response) => void response.end();
    await using listener = await listen(answer, {}, { perNetworkMax: 3, isUncounted: () => false });
    const held = await Promise.all([listener.connect(), listener.connect(), listener.connect()]);
    await assert.rejects(listener.connect());
    assert.equal(listener.connections.count, 3);
    held[0]?.destroy();
    const third = await until('one may come in again', () => listener.connect().catch(() => undefined));
    for (const socket of [...held, third]) socket.destroy();
  });

  test('of this machine are not limited, for a proxy stands there for many', async () => {
    const answer: RequestListener = (_request, response) => void response.end();
    await using listener = await listen(answer, {}, { perNetworkMax: 1 });
    for (const socket of await Promise.all([listener.connect(), listener.connect()])) socket.destroy();
  });
});
