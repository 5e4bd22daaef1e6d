import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteCollector } from './byte-collector.ts';

test('pieces of any size come out as one text, characters cut in the middle too', () => {
  const text = `${'é🏖'.repeat(3000)}end`;
  const bytes = Buffer.from(text);
  for (const pieceBytes of [1, 7, 4096, bytes.length]) {
    const collector = new ByteCollector();
    for (let at = 0; at < bytes.length; at += pieceBytes) collector.add(bytes.subarray(at, at + pieceBytes));
    assert.equal(collector.length, bytes.length);
    assert.equal(collector.text(), text, `pieces of ${pieceBytes} bytes`);
  }
});

test('nothing is the empty text, and empty pieces add nothing', () => {
  const collector = new ByteCollector();
  collector.add(new Uint8Array());
  assert.deepEqual([collector.length, collector.text()], [0, '']);
});

test('a piece is copied: its memory may be used again', () => {
  const collector = new ByteCollector();
  const piece = Buffer.from('a');
  collector.add(piece);
  piece[0] = 0x62;
  collector.add(piece);
  assert.equal(collector.text(), 'ab');
});
