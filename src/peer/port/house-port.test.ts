import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { request } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Duplex, Readable } from 'node:stream';
import { before, describe, test } from 'node:test';
import { type ConnectionOptions, connect, TLSSocket } from 'node:tls';
import pino from 'pino';
import { until } from '../../../test/support/until.ts';
import { peerCertificate } from '../../identity/connect-pinned.ts';
import { fingerprintOf } from '../../identity/fingerprint.ts';
import type { Identity } from '../../identity/key-store.ts';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { closed } from '../../util/testing/closed.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { HousePort, type HousePortLimits, remoteAddressOf } from './house-port.ts';

const host = '127.0.0.1';
const ask = 'GET / HTTP/1.1\r\nHost: house\r\nConnection: close\r\n\r\n';

let owner: Identity;
let visitor: Identity;
before(async () => {
  [owner, visitor] = await Promise.all([
    testIdentity('owner@example.com'),
    testIdentity('visitor@example.com'),
  ]);
});

interface OpenOptions {
  readonly onRequest?: RequestListener;
  readonly interface?: 'all' | 'loopback';
  readonly limits?: Partial<HousePortLimits>;
}

const answerHello: RequestListener = (_request, response) => void response.end('hello');

async function open({
  onRequest = answerHello,
  interface: which = 'loopback',
  limits,
}: OpenOptions = {}): Promise<HousePort> {
  return HousePort.open({
    identity: owner,
    ports: { first: 0, last: 0 },
    interface: which,
    onRequest,
    log: pino({ level: 'silent' }),
    ...(limits !== undefined && { limits }),
  });
}

function visit(port: number, options: ConnectionOptions = {}): TLSSocket {
  const { keyPem: key, certificatePem: cert } = visitor;
  const socket = connect({ port, host, key, cert, rejectUnauthorized: false, ...options });
  socket.on('error', () => {});
  return socket;
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Writes what passes through in segments of one byte, each on its way before the next. */
function inSegments(tcp: Socket): Duplex {
  tcp.setNoDelay(true);
  const duplex = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      let at = 0;
      const next = (): void => {
        if (at === chunk.length) done();
        else tcp.write(chunk.subarray(at, (at += 1)), next);
      };
      next();
    },
    final: (done) => void tcp.end(done),
  });
  tcp.on('data', (bytes) => duplex.push(bytes)).on('end', () => duplex.push(null));
  return duplex;
}

describe('a house’s port', () => {
  test('serves HTTPS and hands over who visits', async () => {
    const visitors: (string | undefined)[] = [];
    const addresses: string[] = [];
    await using house = await open({
      onRequest: (request, response) => {
        const certificate = request.socket instanceof TLSSocket ? peerCertificate(request.socket) : undefined;
        visitors.push(certificate && fingerprintOf(certificate));
        addresses.push(remoteAddressOf(request));
        response.end();
      },
    });
    const socket = visit(house.port);
    socket.write(ask);
    assert.match(await textOf(socket), /^HTTP\/1\.1 200 OK/);
    assert.deepEqual(visitors, [visitor.claims.fingerprint]);
    assert.deepEqual(addresses, ['127.0.0.1']);
  });

  test('speaks with the hybrid group, with what is older, by ALPN and without', async () => {
    await using house = await open();
    for (const [options, group] of [
      [{ ecdhCurve: 'X25519MLKEM768:X25519' }, 'X25519MLKEM768'],
      [{ ecdhCurve: 'X25519', ALPNProtocols: ['http/1.1'] }, 'X25519'],
      [{ ecdhCurve: 'P-256', ALPNProtocols: ['h2', 'http/1.1'] }, 'prime256v1'],
    ] as const) {
      const socket = visit(house.port, options);
      await once(socket, 'secureConnect');
      assert.equal(Reflect.get(socket.getEphemeralKeyInfo() ?? {}, 'name'), group);
      socket.write(ask);
      assert.match(await textOf(socket), /hello$/);
    }
  });

  test('is open to curl with a client certificate', {
    skip: spawnSync('curl', ['-V']).error !== undefined && '`curl` is not installed',
  }, async () => {
    await using folder = await temporaryFolder();
    const [key, cert] = [join(folder.path, 'client.key'), join(folder.path, 'client.crt')];
    await writeFile(key, visitor.keyPem);
    await writeFile(cert, visitor.certificatePem);
    await using house = await open();
    const curl = spawn('curl', ['-sk', '--cert', cert, '--key', key, `https://${host}:${house.port}/`]);
    assert.equal(await textOf(curl.stdout), 'hello');
  });

  test('understands a visitor whose every byte is a segment of its own', async () => {
    await using house = await open();
    const tcp = connectTcp(house.port, host);
    await once(tcp, 'connect');
    const socket = visit(house.port, { socket: inSegments(tcp), ecdhCurve: 'X25519MLKEM768' });
    socket.write(ask);
    assert.match(await textOf(socket), /hello$/);
    tcp.destroy();
  });

  test('brings 100 MB through unharmed', async () => {
    const part = randomBytes(1024 * 1024);
    const expected = createHash('sha256');
    for (let index = 0; index < 100; index += 1) expected.update(part);
    await using house = await open({
      onRequest: (_request, response) => {
        Readable.from(Array.from({ length: 100 }, () => part)).pipe(response);
      },
    });
    const asking = request({ port: house.port, host, agent: false, rejectUnauthorized: false }).end();
    const [response] = await once(asking, 'response');
    const received = createHash('sha256');
    for await (const chunk of response as AsyncIterable<Buffer>) received.update(chunk);
    assert.equal(received.digest('hex'), expected.digest('hex'));
  });

  test('shows a renewed certificate to who comes after, and keeps who is there', async () => {
    await using house = await open();
    const before = visit(house.port);
    await once(before, 'secureConnect');
    const renewed = await testIdentity('owner@example.com', owner);
    house.renewIdentity(renewed);
    const after = visit(house.port);
    await once(after, 'secureConnect');
    const shown = peerCertificate(after);
    assert.equal(shown && fingerprintOf(shown), renewed.claims.fingerprint);
    for (const socket of [before, after]) {
      socket.write(ask);
      assert.match(await textOf(socket), /hello$/);
    }
  });

  test('is closed to other machines when it is told so', async (context) => {
    const mine = Object.values(networkInterfaces()).flat();
    const elsewhere = mine.find((address) => address?.family === 'IPv4' && !address.internal)?.address;
    if (elsewhere === undefined) {
      context.skip('this machine has no address but loopback');
      return;
    }
    await using hidden = await open({ interface: 'loopback' });
    const [error] = (await once(connectTcp(hidden.port, elsewhere), 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
    await using shown = await open({ interface: 'all' });
    const socket = visit(shown.port, { host: elsewhere });
    socket.write(ask);
    assert.match(await textOf(socket), /hello$/);
  });
});

describe('a house’s port turns away', () => {
  test('plain HTTP, with a line to read, however it is cut', async () => {
    await using house = await open();
    const whole = 'GET /api/files HTTP/1.1\r\nHost: house\r\n\r\n';
    for (const parts of [
      [whole],
      whole.split(''),
      [`POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}`],
    ]) {
      const socket = connectTcp(house.port, host);
      socket.setNoDelay(true).on('error', () => {});
      for (const part of parts) socket.write(part);
      assert.match(
        await textOf(socket),
        /^HTTP\/1\.1 400 Bad Request\r\n[^]*\r\n\r\nThis port speaks HTTPS with client certificates: use https:\/\/\.\n$/,
      );
    }
  });

  test('plain HTTP also when its sender never hangs up', async () => {
    await using house = await open({ limits: { connectionsPerNetworkMax: 1 } });
    const holding = connectTcp({ port: house.port, host, allowHalfOpen: true });
    holding.write('GET / HTTP/1.1\r\n\r\n');
    await once(holding.resume(), 'end');
    const answer = await until('its place is free again', async () => {
      const socket = visit(house.port);
      socket.write(ask);
      return (await textOf(socket).catch(() => '')) || undefined;
    });
    assert.match(answer, /hello$/);
    holding.destroy();
  });

  test('TLS that is too old', async () => {
    await using house = await open();
    const socket = visit(house.port, { maxVersion: 'TLSv1.2' });
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    assert.match(String(error.code), /ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION/);
  });

  test('what is neither, and what never ends', async () => {
    await using house = await open();
    for (const bytes of [
      Buffer.from('SSH-2.0-OpenSSH_9.9\r\n'),
      randomBytes(400),
      // A record that promises a hello of 16 KB, and goes on.
      Buffer.concat([Buffer.from([22, 3, 1, 64, 0, 1, 0, 63, 252]), randomBytes(17_000)]),
      Buffer.concat([Buffer.from([22, 3, 1, 255, 255, 1, 0, 255, 251]), randomBytes(70_000)]),
    ]) {
      const socket = connectTcp(house.port, host);
      socket.on('error', () => {});
      socket.write(bytes);
      await closed(socket);
    }
  });

  test('who says nothing, or stops in the middle of the hello', async () => {
    await using house = await open({ limits: { helloTimeoutMs: 30 } });
    for (const bytes of ['', 'GET', '\u0016\u0003\u0001\u0002\u0000\u0001']) {
      const socket = connectTcp(house.port, host);
      await once(socket, 'connect');
      if (bytes !== '') socket.write(bytes, 'latin1');
      await closed(socket);
    }
  });

  test('who takes nothing of an answer, but not who waits for one that is being made', async () => {
    const { promise: cut, resolve: onCut } = Promise.withResolvers<void>();
    await using house = await open({
      limits: { stallTimeoutMs: 50 },
      onRequest: (request, response) => {
        if (request.url === '/made') setTimeout(() => response.end('made'), 300);
        else response.on('close', () => onCut()).end(Buffer.alloc(64 * 1024 * 1024));
      },
    });
    const patient = visit(house.port);
    patient.write('GET /made HTTP/1.1\r\nHost: house\r\nConnection: close\r\n\r\n');
    const answer = textOf(patient);
    const stalled = visit(house.port);
    await once(stalled, 'secureConnect');
    stalled.pause();
    stalled.write(ask);
    await cut;
    stalled.destroy();
    assert.match(await answer, /made$/);
  });

  test('more connections of one network than it may have, and lets others in when they go', async () => {
    await using house = await open({ limits: { connectionsPerNetworkMax: 3 } });
    const held = [visit(house.port), visit(house.port), visit(house.port)];
    // Answered once, so that the house has seen the end of their handshakes.
    for (const socket of held) {
      socket.write('GET / HTTP/1.1\r\nHost: house\r\n\r\n');
      await once(socket, 'data');
    }
    await closed(visit(house.port));
    for (const socket of held) {
      socket.write(ask);
      assert.match(await textOf(socket), /hello$/);
    }
    const later = visit(house.port);
    later.write(ask);
    assert.match(await textOf(later), /hello$/);
  });

  for (const limits of [{ connectionsPerNetworkMax: 3 }, { connectionsMax: 3 }]) {
    test(`whoever says nothing, oldest first, when a visitor finds ${Object.keys(limits).join()} reached`, async () => {
      await using house = await open({ limits });
      const silent = [];
      for (let count = 0; count < 3; count += 1) {
        const socket = connectTcp(house.port, host);
        socket.on('error', () => {});
        await once(socket, 'connect');
        silent.push(socket);
      }
      const [oldest, ...others] = silent;
      assert.ok(oldest !== undefined);
      const gone = closed(oldest);
      const visitor = visit(house.port);
      visitor.write(ask);
      assert.match(await textOf(visitor), /hello$/);
      await gone;
      assert.ok(others.every((socket) => !socket.destroyed));
      for (const socket of others) socket.destroy();
    });
  }

  test('everybody at once when it closes', async () => {
    const house = await open({ onRequest: (_request, response) => void response.write('begun') });
    const { port } = house;
    const silent = connectTcp(port, host);
    await once(silent, 'connect');
    const reading = visit(port);
    reading.write(ask);
    await once(reading, 'data');
    const gone = Promise.all([closed(silent), closed(reading)]);
    await house[Symbol.asyncDispose]();
    await gone;
    const [error] = (await once(connectTcp(port, host), 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
  });
});
