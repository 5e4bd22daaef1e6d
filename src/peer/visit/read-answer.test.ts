import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BodySource } from './body-source.ts';
import { readText } from './read-answer.ts';

test('an answer that comes byte by byte takes the memory of its bytes, not of its pieces', async () => {
  const pieces = 1_000_000;
  const piece = Buffer.from(' ');
  let grownBytes = 0;
  const body: BodySource = {
    read({ bytes, end }) {
      const before = process.memoryUsage();
      for (let sent = 0; sent < pieces; sent += 1) bytes(piece);
      const after = process.memoryUsage();
      grownBytes = after.heapUsed + after.external - before.heapUsed - before.external;
      end();
    },
    pause() {},
    resume() {},
    destroy() {},
  };
  assert.equal((await readText(body, pieces, new AbortController().signal)).length, pieces);
  // An array of the pieces grew by a hundred times their bytes.
  assert.ok(grownBytes < 20 * pieces, `${grownBytes} bytes of memory for ${pieces}`);
});
