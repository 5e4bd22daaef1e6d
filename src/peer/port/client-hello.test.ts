import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { before, describe, test } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import { clientHelloBytesMax, parseClientHello } from './client-hello.ts';

/** The first message that a real client sends, byte for byte. */
async function helloOf(run: (port: number) => void): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  run((server.address() as AddressInfo).port);
  const [socket] = await once(server, 'connection');
  let bytes: Buffer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, chunk]);
    if (parseClientHello(bytes).kind !== 'partial') break;
  }
  socket.destroy();
  server.close();
  return bytes;
}

function nodeHello(options: ConnectionOptions): Promise<Buffer> {
  return helloOf((port) => {
    connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }).on('error', () => {});
  });
}

function programHello(program: string, args: (port: number) => readonly string[]): Promise<Buffer> {
  return helloOf((port) => {
    spawn(program, args(port), { stdio: ['pipe', 'ignore', 'ignore'] }).on('error', () => {});
  });
}

/** The same message cut into records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const fragment = message.subarray(at, at + size);
    const header = Buffer.from([22, 3, 1, 0, 0]);
    header.writeUInt16BE(fragment.length, 3);
    records.push(header, fragment);
  }
  return Buffer.concat(records);
}

describe('the hello of a real client is read', () => {
  for (const [what, options, protocols] of [
    ['Node with the hybrid group', { ecdhCurve: 'X25519MLKEM768:X25519' }, []],
    [
      'Node with the hybrid group and ALPN',
      { ecdhCurve: 'X25519MLKEM768', ALPNProtocols: ['flashback-link/1', 'http/1.1'] },
      ['flashback-link/1', 'http/1.1'],
    ],
    ['Node with a server name', { servername: 'house.example', ALPNProtocols: ['h2'] }, ['h2']],
    ['Node with TLS 1.2', { maxVersion: 'TLSv1.2' }, []],
    [
      'Node with many ALPN names',
      { ALPNProtocols: Array.from({ length: 40 }, (_, index) => `name-${index}`.padEnd(200, 'x')) },
      Array.from({ length: 40 }, (_, index) => `name-${index}`.padEnd(200, 'x')),
    ],
  ] as const) {
    test(what, async () => {
      assert.deepEqual(parseClientHello(await nodeHello(options as ConnectionOptions)), {
        kind: 'hello',
        protocols,
      });
    });
  }

  test('curl', { skip: obstacleOf('curl') }, async () => {
    const hello = parseClientHello(
      await programHello('curl', (port) => ['-sk', '-m', '5', `https://127.0.0.1:${port}/`]),
    );
    assert.ok(hello.kind === 'hello' && hello.protocols.includes('http/1.1'), JSON.stringify(hello));
  });

  test('openssl s_client', { skip: obstacleOf('openssl') }, async () => {
    const args = (port: number): string[] => [
      's_client',
      '-connect',
      `127.0.0.1:${port}`,
      '-alpn',
      'one,two',
    ];
    assert.deepEqual(parseClientHello(await programHello('openssl', args)), {
      kind: 'hello',
      protocols: ['one', 'two'],
    });
  });
});

describe('a hello', () => {
  let hello: Buffer;
  const expected = { kind: 'hello', protocols: ['flashback-link/1', 'http/1.1'] };
  before(async () => {
    hello = await nodeHello({ ecdhCurve: 'X25519MLKEM768:X25519', ALPNProtocols: expected.protocols });
    assert.ok(hello.length > 1400, `${hello.length} bytes: the hybrid key share is in it`);
  });

  test('that ends at any byte before its last is partial', () => {
    for (let length = 0; length < hello.length; length += 1)
      assert.deepEqual(parseClientHello(hello.subarray(0, length)), { kind: 'partial' }, `${length} bytes`);
    assert.deepEqual(parseClientHello(hello), expected);
  });

  test('with more behind it is the same hello: early data, or whatever', () => {
    for (const more of [Buffer.from([20, 3, 3, 0, 1, 1, 23, 3, 3]), Buffer.from('GET / HTTP/1.1\r\n'), hello])
      assert.deepEqual(parseClientHello(Buffer.concat([hello, more])), expected);
  });

  test('cut into records is read whole, and partial at any byte of it', () => {
    for (const size of [1000, 100, 37]) {
      const records = inRecords(hello, size);
      assert.deepEqual(parseClientHello(records), expected, `records of ${size}`);
      for (let length = 0; length < records.length; length += 1)
        assert.deepEqual(parseClientHello(records.subarray(0, length)), { kind: 'partial' });
    }
  });

  test('in more records than anybody needs, or in empty ones, is none', () => {
    assert.deepEqual(parseClientHello(inRecords(hello, 1)), { kind: 'not-tls', isHttp: false });
    const withEmpty = Buffer.concat([Buffer.from([22, 3, 1, 0, 0]), hello]);
    assert.deepEqual(parseClientHello(withEmpty), { kind: 'not-tls', isHttp: false });
  });

  test('that says it is longer than any is, is none', () => {
    const long = Buffer.from(hello);
    long.writeUIntBE(clientHelloBytesMax + 1, 6, 3);
    assert.deepEqual(parseClientHello(long), { kind: 'not-tls', isHttp: false });
  });

  test('with another message or another version in its place is none', () => {
    for (const [at, value] of [
      [0, 21],
      [1, 2],
      [5, 2],
    ] as const) {
      const other = Buffer.from(hello);
      other[at] = value;
      assert.deepEqual(parseClientHello(other), { kind: 'not-tls', isHttp: false }, `byte ${at}`);
    }
  });

  test('with any byte altered is read, waited for or refused, and never throws', () => {
    for (let at = 0; at < hello.length; at += 1) {
      for (const mask of [1, 0x80, 0xff]) {
        const altered = Buffer.from(hello);
        altered[at] = (altered[at] ?? 0) ^ mask;
        assert.match(parseClientHello(altered).kind, /^(hello|partial|not-tls)$/);
      }
    }
  });
});

test('random bytes are no hello, whatever they begin with', () => {
  for (let round = 0; round < 5000; round += 1) {
    const bytes = randomBytes(1 + (round % 600));
    if (round % 2 === 0) bytes.set([22, 3, 1, 1, 0, 1].slice(0, bytes.length));
    assert.notEqual(parseClientHello(bytes).kind, 'hello');
  }
});

test('plain HTTP is known as soon as its method is whole, and waited for until then', () => {
  for (const method of ['GET', 'POST', 'OPTIONS', 'PROPFIND']) {
    const request = Buffer.from(`${method} / HTTP/1.1\r\n`);
    for (let length = 1; length <= request.length; length += 1)
      assert.deepEqual(
        parseClientHello(request.subarray(0, length)),
        length <= method.length ? { kind: 'partial' } : { kind: 'not-tls', isHttp: true },
        `${method}, ${length} bytes`,
      );
  }
  for (const text of ['get / HTTP/1.1', 'SSH-2.0-OpenSSH', 'VERYLONGMETHOD /', ' GET /', '\0', 'GO /'])
    assert.deepEqual(parseClientHello(Buffer.from(text)), { kind: 'not-tls', isHttp: false }, text);
});

function obstacleOf(program: string): string | false {
  return spawnSync(program, ['-V']).error === undefined ? false : `\`${program}\` is not installed`;
}
