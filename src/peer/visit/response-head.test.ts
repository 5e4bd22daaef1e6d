import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { decodeResponseHead, headBytesMax, plainLength } from './response-head.ts';

const good = 'HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nETag:  "x y" \r\nX-A: 1\r\nx-a: 2\r\n\r\n';

test('a head is read with its names in lower case and without a name that comes twice', () => {
  const decoded = decodeResponseHead(Buffer.from(`${good}hello`));
  assert.ok(typeof decoded === 'object');
  assert.equal(decoded.bodyStart, good.length);
  assert.equal(decoded.head.status, 206);
  assert.deepEqual({ ...decoded.head.headers }, { 'content-length': '5', etag: '"x y"', 'x-a': undefined });
});

test('a head cut at any byte is incomplete', () => {
  for (let length = 0; length < good.length; length += 1)
    assert.equal(decodeResponseHead(Buffer.from(good.slice(0, length))), 'incomplete', `${length} bytes`);
});

const malformed: Record<string, string> = {
  'another protocol': 'SSH-2.0-OpenSSH_9.2\r\n',
  'another version of HTTP': 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n',
  'a status of four digits': 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n',
  'a status that does not exist': 'HTTP/1.1 700 OK\r\nContent-Length: 0\r\n\r\n',
  'a folded line': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nA: b\r\n c\r\n\r\n',
  'a space before the colon': 'HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\n',
  'a line without a colon': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nhello\r\n\r\n',
  'a bare line feed': 'HTTP/1.1 200 OK\r\nContent-Length: 1\nA: b\r\n\r\n',
  'a NUL in a value': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nA: \0\r\n\r\n',
  'a status that is no number': 'HTTP/1.1 OK\r\n\r\n',
};
for (const [name, text] of Object.entries(malformed))
  test(`a head with ${name} is malformed`, () => {
    assert.equal(decodeResponseHead(Buffer.from(text)), 'malformed');
  });

const lengths: [fields: string, length: number | undefined][] = [
  ['Content-Length: 0', 0],
  ['Content-Length: 007', 7],
  ['Content-Length: 999999999999999', 999_999_999_999_999],
  ['ETag: "a"', undefined],
  ['Content-Length: -1', undefined],
  ['Content-Length: 0x10', undefined],
  ['Content-Length: 1000000000000000', undefined],
  ['Content-Length: 1\r\nContent-Length: 1', undefined],
  ['Content-Length: 1, 1', undefined],
  ['Content-Length: 1\r\nTransfer-Encoding: chunked', undefined],
  ['Content-Length: 1\r\nTransfer-Encoding: a\r\nTransfer-Encoding: b', undefined],
];
for (const [fields, length] of lengths)
  test(`the length told by ${JSON.stringify(fields)} is ${length ?? 'none'}`, () => {
    const decoded = decodeResponseHead(Buffer.from(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`));
    assert.ok(typeof decoded === 'object');
    assert.equal(plainLength(decoded.head), length);
  });

test('a head that does not end within its limit is malformed', () => {
  const head = Buffer.from(`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(headBytesMax)}`);
  assert.equal(decodeResponseHead(head.subarray(0, headBytesMax - 1)), 'incomplete');
  assert.equal(decodeResponseHead(head.subarray(0, headBytesMax)), 'malformed');
});

test('names of object members are ordinary header names', () => {
  const decoded = decodeResponseHead(
    Buffer.from('HTTP/1.1 200 OK\r\n__proto__: x\r\nconstructor: y\r\nContent-Length: 0\r\n\r\n'),
  );
  assert.ok(typeof decoded === 'object');
  assert.equal(decoded.head.headers['constructor'], 'y');
  assert.equal(decoded.head.headers['toString'], undefined);
});

test('random bytes never throw and are never a head', () => {
  for (let run = 0; run < 2000; run += 1) {
    const bytes = Buffer.concat([
      Buffer.from(good.slice(0, run % (good.length - 4))),
      randomBytes(run % 300),
    ]);
    const decoded = decodeResponseHead(bytes);
    assert.ok(typeof decoded === 'string', `run ${run}: ${bytes.toString('hex')}`);
  }
});
