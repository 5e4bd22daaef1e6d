import assert from 'node:assert/strict';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { before, describe, test } from 'node:test';
import { httpsServer } from '../peer/testing/https-server.ts';
import { closed } from '../util/testing/closed.ts';
import { connectPinned, PeerMismatchError } from './connect-pinned.ts';
import type { Identity } from './key-store.ts';
import { PinnedClient, type PinnedClientOptions, readBody } from './pinned-client.ts';
import { testIdentity } from './testing/test-identity.ts';
import { tcpServer, tlsServer } from './testing/tls-server.ts';

const host = '127.0.0.1';
const get = { method: 'GET', path: '/' };

let house: Identity;
before(async () => {
  house = await testIdentity('house@example.com');
});

function clientOf(port: number, options: Partial<PinnedClientOptions> = {}): PinnedClient {
  const expected = { kind: 'pinned', fingerprints: [house.claims.fingerprint] } as const;
  return new PinnedClient({ host, port, expected, ...options });
}

/** Answers with the request's own body. */
const echo: RequestListener = (request, response) => {
  request.pipe(response);
};

async function textOf(response: IncomingMessage): Promise<string> {
  return readBody(response, 1_000_000);
}

describe('PinnedClient', () => {
  test('sends body, headers and path as given, and names itself by host and port', async () => {
    const seen: IncomingMessage[] = [];
    await using server = await httpsServer(house, (request, response) => {
      seen.push(request);
      echo(request, response);
    });
    using client = clientOf(server.port);
    const body = '{"name":"Ünï"}';
    const headers = { 'x-extra': 'yes' };
    const response = await client.send({ method: 'POST', path: '/a%20b?c=d', body, headers });
    assert.equal(await textOf(response), body);
    const [request] = seen;
    assert.equal(request?.url, '/a%20b?c=d');
    assert.equal(request.headers['host'], `127.0.0.1:${server.port}`);
    assert.equal(request.headers['content-length'], String(Buffer.byteLength(body)));
    assert.equal(request.headers['content-type'], 'application/json');
    assert.equal(request.headers['x-extra'], 'yes');
  });

  test('keeps its connection for the next request', async () => {
    await using server = await httpsServer(house, echo);
    using client = clientOf(server.port);
    for (let round = 0; round < 5; round += 1) await textOf(await client.send(get));
    assert.equal(server.connections, 1);
    assert.equal(server.requests.length, 5);
  });

  test('opens no more connections than it may, the rest of the requests wait', async () => {
    await using server = await httpsServer(house, echo);
    using client = clientOf(server.port, { socketsMax: 2 });
    await Promise.all(Array.from({ length: 10 }, async () => textOf(await client.send(get))));
    assert.equal(server.requests.length, 10);
    assert.ok(server.connections <= 2);
  });

  test('gives the place of a request that failed or was left to the next', async () => {
    await using server = await httpsServer(house, (request, response) => {
      if (request.url === '/answered') response.end();
    });
    using client = clientOf(server.port, { socketsMax: 1 });
    await assert.rejects(client.send({ ...get, headTimeoutMs: 30 }));
    const controller = new AbortController();
    const left = client.send({ ...get, signal: controller.signal });
    const next = client.send({ ...get, path: '/answered' });
    const reason = new Error('no longer wanted');
    controller.abort(reason);
    await assert.rejects(left, (error) => error === reason);
    assert.equal((await next).statusCode, 200);
  });

  test('uses a connection that was made already for the first request, and only there', async () => {
    await using server = await httpsServer(house, echo);
    const expected = { kind: 'pinned', fingerprints: [house.claims.fingerprint] } as const;
    const firstSocket = await connectPinned({ host, port: server.port, expected });
    using client = clientOf(server.port, { firstSocket });
    await textOf(await client.send(get));
    assert.equal(server.connections, 1);
    server.cut();
    await closed(firstSocket);
    await textOf(await client.send(get));
    assert.equal(server.connections, 2);
  });

  test('makes a connection of its own when the one made already has died', async () => {
    await using server = await httpsServer(house, echo);
    const expected = { kind: 'pinned', fingerprints: [house.claims.fingerprint] } as const;
    const firstSocket = await connectPinned({ host, port: server.port, expected });
    firstSocket.destroy();
    using client = clientOf(server.port, { firstSocket });
    await textOf(await client.send(get));
    assert.equal(server.requests.length, 1);
  });
});

describe('PinnedClient before an impostor', () => {
  test('fails the request, of which nothing was sent', async () => {
    await using impostor = await tlsServer(await testIdentity('house@example.com'));
    using client = clientOf(impostor.port);
    const request = { method: 'POST', path: '/secret', body: 'password', headers: { 'x-token': 'secret' } };
    await assert.rejects(client.send(request), PeerMismatchError);
    await impostor.idle();
    assert.equal(impostor.connections, 1);
    assert.equal(impostor.received(), '');
  });

  test('notices one who takes over the port between two requests', async () => {
    const server = await httpsServer(house, echo);
    const { port } = server;
    using client = clientOf(port);
    await textOf(await client.send(get));
    await server[Symbol.asyncDispose]();
    await using impostor = await tlsServer(await testIdentity('house@example.com'), { port });
    await assert.rejects(client.send({ method: 'POST', path: '/', body: 'password' }), PeerMismatchError);
    await impostor.idle();
    assert.equal(impostor.received(), '');
  });
});

describe('PinnedClient gives up', () => {
  test('on a handshake that takes too long', async () => {
    await using server = await tcpServer((socket) => socket.resume());
    using client = clientOf(server.port, { connectTimeoutMs: 30 });
    await assert.rejects(client.send(get), {
      message: `127.0.0.1:${server.port} did not answer within 30 ms`,
    });
  });

  test('on an answer that does not begin', async () => {
    await using server = await httpsServer(house, () => {});
    using client = clientOf(server.port);
    await assert.rejects(client.send({ ...get, headTimeoutMs: 30 }), {
      message: `GET to 127.0.0.1:${server.port}: no answer within 30 ms`,
    });
  });

  test('but not on a body that takes longer than the head may', async (context) => {
    const { promise: asked, resolve } = Promise.withResolvers<ServerResponse>();
    await using server = await httpsServer(house, (_request, response) => {
      response.writeHead(200).flushHeaders();
      resolve(response);
    });
    using client = clientOf(server.port);
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const sending = client.send({ ...get, headTimeoutMs: 30 });
    const answer = await asked;
    const response = await sending;
    context.mock.timers.tick(60_000);
    answer.end('late');
    assert.equal(await textOf(response), 'late');
  });

  test('when its signal aborts, before the head and after it', async () => {
    await using silent = await httpsServer(house, () => {});
    using one = clientOf(silent.port);
    const early = new AbortController();
    const waiting = one.send({ ...get, signal: early.signal });
    const reason = new Error('no longer wanted');
    early.abort(reason);
    await assert.rejects(waiting, (error) => error === reason);

    await using endless = await httpsServer(house, (_request, response) => void response.write('begun'));
    using other = clientOf(endless.port);
    const late = new AbortController();
    const response = await other.send({ ...get, signal: late.signal });
    const reading = textOf(response);
    late.abort();
    await assert.rejects(reading, { name: 'AbortError' });
  });

  test('when it is disposed, also on what is still being connected', async () => {
    const { promise: connected, resolve } = Promise.withResolvers<void>();
    const { promise: cut, resolve: onCut } = Promise.withResolvers<void>();
    await using server = await tcpServer((socket) => {
      socket.resume().on('close', () => onCut());
      resolve();
    });
    const client = clientOf(server.port);
    const waiting = client.send(get);
    const rejected = assert.rejects(waiting);
    await connected;
    client[Symbol.dispose]();
    await rejected;
    await cut;
  });
});

describe('readBody', () => {
  test('reads up to the limit, and drops the connection of a longer answer', async () => {
    const body = 'x'.repeat(100_000);
    await using server = await httpsServer(house, (_request, response) => void response.end(body));
    using client = clientOf(server.port);
    assert.equal(await readBody(await client.send(get), body.length), body);
    const response = await client.send(get);
    await assert.rejects(readBody(response, body.length - 1), {
      message: 'The answer is longer than 99999 bytes',
    });
    assert.equal(response.destroyed, true);
  });

  test('rejects when the answer breaks off', async () => {
    await using server = await httpsServer(house, (_request, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('begun', () => response.destroy());
    });
    using client = clientOf(server.port);
    await assert.rejects(textOf(await client.send(get)), { code: 'ECONNRESET' });
  });
});
