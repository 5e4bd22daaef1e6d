import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerReader } from './answer-reader.ts';

const counted = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const chunked =
  'HTTP/1.1 206 Partial\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n';
const empty = 'HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n';

for (const [name, answer, status] of [
  ['counted', counted, 200],
  ['chunked', chunked, 206],
  ['empty', empty, 204],
] as const) {
  test(`a ${name} answer is complete exactly at its last byte, wherever it is cut`, () => {
    const bytes = Buffer.from(answer);
    for (let cut = 1; cut < bytes.length; cut++) {
      const reader = new AnswerReader();
      assert.equal(reader.push(bytes.subarray(0, cut)), undefined, `complete after ${cut} bytes`);
      assert.equal(reader.push(bytes.subarray(cut)), status);
    }
  });

  test(`a ${name} answer is read byte by byte, and so is the next one`, () => {
    const reader = new AnswerReader();
    for (let turn = 0; turn < 2; turn++) {
      const results = [...Buffer.from(answer)].map((byte) => reader.push(Buffer.from([byte])));
      assert.deepEqual(results.slice(0, -1).filter(Boolean), []);
      assert.equal(results.at(-1), status);
    }
  });
}

test('the memory of a chunk may be used again after it was pushed', () => {
  const reader = new AnswerReader();
  const memory = Buffer.from(counted.slice(0, 20));
  assert.equal(reader.push(memory), undefined);
  memory.fill(0);
  assert.equal(reader.push(Buffer.from(counted.slice(20))), 200);
});

test('bytes after the end of an answer are an error, since nothing was asked for', () => {
  assert.throws(() => new AnswerReader().push(Buffer.from(`${counted}!`)), /1 bytes follow/);
});

test('something that is not HTTP/1.1 is an error', () => {
  assert.throws(() => new AnswerReader().push(Buffer.from('SSH-2.0-x\r\n\r\n')), /starts with "SSH-2.0-x"/);
});

test('a head without an end is an error, not memory without a bound', () => {
  const reader = new AnswerReader();
  assert.throws(() => {
    for (let sent = 0; sent < 100; sent++) reader.push(Buffer.alloc(1000, 'a'));
  }, /no end of its head/);
});
