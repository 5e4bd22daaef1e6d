import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { SeededRandom, testSeed } from '../house/testing/seeded-random.ts';
import { downloadMemoryBytesMax, PartialWriter, writeBufferBytes } from './partial-writer.ts';
import { randomBytes, sha256 } from './testing/run.ts';

test('chunks of any size are written and hashed in order', async (context) => {
  const random = new SeededRandom(testSeed());
  context.diagnostic(`seed ${random.seed}`);
  await using folder = await temporaryFolder();
  for (let run = 0; run < 20; run += 1) {
    const bytes = randomBytes(random.below(6 * writeBufferBytes));
    const path = join(folder.path, String(run));
    const file = await open(path, 'w+');
    const writer = new PartialWriter(file, bytes.length);
    for (let position = 0; position < bytes.length; ) {
      const count = Math.min(
        bytes.length - position,
        1 + random.below(random.pick([10_000, 3 * writeBufferBytes])),
      );
      // The memory is the caller's again at once.
      const chunk = Buffer.from(bytes.subarray(position, position + count));
      if (!writer.write(chunk)) await writer.room();
      chunk.fill(0);
      position += count;
      assert.equal(writer.position, position);
    }
    await writer.flush();
    await file.close();
    assert.equal(writer.sha256(), sha256(bytes), `run ${run}`);
    assert.ok((await readFile(path)).equals(bytes), `run ${run}`);
  }
});

test('a writer goes on in the middle of a file and of its hash', async () => {
  await using folder = await temporaryFolder();
  const bytes = randomBytes(3 * writeBufferBytes);
  const path = join(folder.path, 'f');
  const file = await open(path, 'w+');
  const position = writeBufferBytes + 7;
  await file.write(bytes, 0, position, 0);
  const hash = createHash('sha256').update(bytes.subarray(0, position));
  const writer = new PartialWriter(file, bytes.length, { position, hash });
  writer.write(bytes.subarray(position));
  await writer.flush();
  await file.close();
  assert.equal(writer.sha256(), sha256(bytes));
  assert.ok((await readFile(path)).equals(bytes));
});

test('a writer that is full says so', async () => {
  await using folder = await temporaryFolder();
  const file = await open(join(folder.path, 'f'), 'w+');
  const writer = new PartialWriter(file, 100 * writeBufferBytes);
  let taken = 0;
  while (writer.write(Buffer.alloc(writeBufferBytes / 4))) taken += writeBufferBytes / 4;
  assert.ok(taken <= downloadMemoryBytesMax);
  await writer.room();
  assert.ok(writer.write(Buffer.alloc(1)));
  await writer.flush();
  await file.close();
});

const full = '/dev/full';
test('a disk that is full comes out where room or an end is awaited', {
  skip: !existsSync(full),
}, async () => {
  for (const wait of ['room', 'flush'] as const) {
    await using file = await open(full, 'r+');
    const writer = new PartialWriter(file, 100 * writeBufferBytes);
    const write = async (): Promise<void> => {
      for (let count = 0; count < 100; count += 1)
        if (!writer.write(Buffer.alloc(writeBufferBytes))) await writer.room();
      await writer.flush();
    };
    if (wait === 'room') await assert.rejects(write(), { code: 'ENOSPC' });
    else {
      writer.write(Buffer.alloc(10));
      await assert.rejects(writer.flush(), { code: 'ENOSPC' });
      // What comes after the failure changes nothing.
      assert.equal(writer.write(Buffer.alloc(3 * writeBufferBytes)), false);
      await assert.rejects(writer.room(), { code: 'ENOSPC' });
      await assert.rejects(writer.flush(), { code: 'ENOSPC' });
    }
    await writer.settle();
  }
});
