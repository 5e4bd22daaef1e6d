import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';
import type { PinnedConnectOptions } from '../../identity/connect-pinned.ts';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import type { BodySource } from './body-source.ts';
import { openBulk } from './bulk-connection.ts';
import { readText } from './read-answer.ts';

const owner = await testIdentity('owner@example.com');
const guest = await testIdentity('guest@example.com');
const never = new AbortController().signal;
const request = { path: '/f', headers: {}, connectTimeoutMs: 5000, headTimeoutMs: 5000, signal: undefined };

/** A TLS server that hands each connection with its whole request to `serve`. */
async function tlsServer(
  serve: (socket: TLSSocket, request: string) => void,
): Promise<AsyncDisposable & { readonly peer: PinnedConnectOptions }> {
  const sockets = new Set<TLSSocket>();
  const server = createServer({ key: owner.keyPem, cert: owner.certificatePem }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.endsWith('\r\n\r\n')) serve(socket, text);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const expected = { kind: 'pinned', fingerprints: [owner.claims.fingerprint] } as const;
  return {
    peer: { host: '127.0.0.1', port: (server.address() as AddressInfo).port, expected, identity: guest },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function head(length: number): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`;
}

async function bodyOf(peer: PinnedConnectOptions): Promise<BodySource> {
  const answer = await openBulk(peer, request);
  assert.ok(answer !== undefined);
  return answer.body;
}

/** Each part leaves in a TLS record of its own. */
function writeParts(socket: TLSSocket, parts: readonly (string | Buffer)[]): void {
  socket.setNoDelay(true);
  for (const part of parts) socket.write(part);
}

test('the request is one that any HTTP server understands', async () => {
  let asked = '';
  await using server = await tlsServer((socket, text) => {
    asked = text;
    socket.end(`${head(2)}ok`);
  });
  const answer = await openBulk(server.peer, { ...request, headers: { host: 'h:1', range: 'bytes=1-' } });
  assert.ok(answer !== undefined);
  assert.equal(await readText(answer.body, 10, never), 'ok');
  assert.equal(asked, 'GET /f HTTP/1.1\r\nhost: h:1\r\nrange: bytes=1-\r\nconnection: close\r\n\r\n');
});

test('an answer in pieces of any kind is the same answer', async () => {
  const text = `${head(5)}hello`;
  for (let cut = 1; cut < text.length; cut += 1) {
    await using server = await tlsServer((socket) =>
      writeParts(socket, [text.slice(0, cut), text.slice(cut)]),
    );
    assert.equal(await readText(await bodyOf(server.peer), 10, never), 'hello', `cut after ${cut}`);
  }
});

test('what follows the body is not part of it', async () => {
  await using server = await tlsServer((socket) => socket.end(`${head(5)}hello, and HTTP/1.1 200 OK`));
  assert.equal(await readText(await bodyOf(server.peer), 10, never), 'hello');
});

test('an empty body ends at once', async () => {
  await using server = await tlsServer((socket) => socket.write(head(0)));
  assert.equal(await readText(await bodyOf(server.peer), 10, never), '');
});

test('a body that had arrived before anybody read it ends once', async () => {
  await using server = await tlsServer((socket) => socket.end(`${head(5)}hello`));
  const body = await bodyOf(server.peer);
  await new Promise((resolve) => setImmediate(resolve));
  const told: string[] = [];
  body.read({
    bytes: (chunk) => told.push(Buffer.from(chunk).toString()),
    end: () => told.push('end'),
    fail: () => told.push('fail'),
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(told, ['hello', 'end']);
});

test('a connection that ends before the body does is a failure, read early or late', async () => {
  await using server = await tlsServer((socket) => socket.end(`${head(5)}hel`));
  await assert.rejects(readText(await bodyOf(server.peer), 10, never), /cut in the middle/);
  const late = await bodyOf(server.peer);
  await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(readText(late, 10, never), /cut in the middle/);
});

test('a connection that ends before the head does is a failure', async () => {
  await using server = await tlsServer((socket) => socket.end('HTTP/1.1 200 OK\r\nContent'));
  await assert.rejects(openBulk(server.peer, request), /cut/);
});

test('a server that says nothing is given up in time', async () => {
  await using server = await tlsServer(() => {});
  await assert.rejects(openBulk(server.peer, { ...request, headTimeoutMs: 20 }), /no answer within 20 ms/);
});

for (const answer of [
  'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\n\r\nuntil the end',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'SSH-2.0-OpenSSH_9.2\r\n',
  'x'.repeat(100_000),
])
  test(`an answer like ${JSON.stringify(answer.slice(0, 40))} is left to the other client`, async () => {
    await using server = await tlsServer((socket) => socket.write(answer));
    assert.equal(await openBulk(server.peer, request), undefined);
  });

test('a header that would break the request is refused', async () => {
  await using server = await tlsServer((socket) => socket.end(head(0)));
  await assert.rejects(
    openBulk(server.peer, { ...request, headers: { range: 'x\r\nevil: 1' } }),
    /line break/,
  );
});

test('a pause holds the server back, and nothing is lost by it', async () => {
  const sent = randomBytes(24 * 1024 * 1024);
  let socketThere: TLSSocket | undefined;
  await using server = await tlsServer((socket) => {
    socketThere = socket;
    socket.write(head(sent.length));
    socket.write(sent);
  });
  const body = await bodyOf(server.peer);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let pauses = 0;
  body.read({
    bytes: (chunk) => {
      // The memory is only lent.
      chunks.push(Buffer.from(chunk));
      bytes += chunk.length;
      if (bytes < pauses * 4 * 1024 * 1024) return;
      pauses += 1;
      body.pause();
      const before = bytes;
      setImmediate(() =>
        setImmediate(() => {
          // What TLS had decrypted already, and no more.
          if (bytes - before > 256 * 1024) reject(new Error(`${bytes - before} bytes came during a pause`));
          body.resume();
        }),
      );
    },
    end: resolve,
    fail: reject,
  });
  await promise;
  assert.ok(pauses >= 5);
  assert.ok(Buffer.concat(chunks).equals(sent));
  assert.ok(socketThere !== undefined);
});

test('a body that nobody reads stops coming', async () => {
  const size = 64 * 1024 * 1024;
  let there: TLSSocket | undefined;
  await using server = await tlsServer((socket) => {
    there = socket;
    socket.write(head(size));
    socket.write(Buffer.alloc(size));
  });
  const body = await bodyOf(server.peer);
  // Several turns, each enough for megabytes on loopback.
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(there !== undefined && there.writableLength > 0, 'everything was taken though nobody read');
  body.destroy();
});
