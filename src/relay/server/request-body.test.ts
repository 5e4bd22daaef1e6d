import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { collectBody } from './request-body.ts';

test('a body that comes byte by byte takes the memory of its bytes, not of its pieces', () => {
  const request = new IncomingMessage(new Socket());
  const pieces = 60_000;
  let text: string | undefined;
  collectBody(request, pieces, (_error, whole) => {
    text = whole;
  });
  // A view into a pool of memory, as the parser hands it out.
  const piece = Buffer.alloc(1, 'x');
  const before = process.memoryUsage();
  for (let sent = 0; sent < pieces; sent += 1)
    request.emit('data', Buffer.from(piece.buffer, piece.byteOffset, 1));
  const after = process.memoryUsage();
  request.emit('end');
  assert.equal(text, 'x'.repeat(pieces));
  const keptBytes = after.heapUsed + after.external - before.heapUsed - before.external;
  // An array of the pieces keeps two hundred times their bytes.
  assert.ok(keptBytes < 100 * pieces, `${keptBytes} bytes of memory for ${pieces}`);
});
