import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ArchiveFormatWriter, ByteSink } from './archive-format.ts';
import { GatheringSink } from './gathering-sink.ts';
import { TarWriter } from './tar-writer.ts';
import { readTar, readZip } from './testing/read-archive.ts';
import { ZipWriter } from './zip-writer.ts';

const gigabyte = 1024 ** 3;
const modifiedMs = Date.UTC(2024, 1, 29, 12, 34, 56);

test('a tar header of 8 GiB and more carries its size in a pax record, before the content', async () => {
  for (const [size, isPax] of [
    [8 * gigabyte - 1, false],
    [8 * gigabyte, true],
    [100 * gigabyte, true],
  ] as const) {
    const { bytes } = await collect(
      (sink) => new TarWriter(sink),
      (writer) => writer.writeFile(file('a.bin', size, '')),
    );
    assert.equal(bytes.toString('latin1').includes(`size=${size}\n`), isPax);
    assert.equal(String.fromCharCode(bytes[156] ?? 0), isPax ? 'x' : '0');
  }
});

test('a tar keeps names of any script and length, and a record counts its own length', async () => {
  const names = [
    'plain.txt',
    'ä.txt',
    'x'.repeat(100),
    'x'.repeat(101),
    `${'日'.repeat(80)}/file`,
    `${'y'.repeat(89)}ä`,
    `${'z'.repeat(988)}/a`,
  ];
  const { bytes } = await collect(
    (sink) => new TarWriter(sink),
    async (writer) => {
      for (const name of names)
        await writer.writeFile(file(name, name.length, name.replaceAll(/[^ -~]/g, '_')));
      await writer.end();
    },
  );
  assert.deepEqual([...readTar(bytes).keys()], names);
});

test('a zip entry of 4 GiB has 64-bit sizes in front, behind and in the directory', async () => {
  const size = 5 * gigabyte;
  const { bytes } = await collect(
    (sink) => new ZipWriter(sink),
    async (writer) => {
      // The writer believes the size it is told; five gigabytes of content would prove no more.
      await writer.writeFile(file('a.jpg', size, 'short'));
      await writer.end();
    },
  );
  assert.equal(bytes.readUInt16LE(4), 45);
  assert.deepEqual([bytes.readUInt32LE(18), bytes.readUInt32LE(22)], [0xffffffff, 0xffffffff]);
  const descriptor = bytes.indexOf(Buffer.from('PK\x07\x08', 'latin1'));
  assert.equal(bytes.readBigUInt64LE(descriptor + 16), BigInt(size));
  const central = bytes.indexOf(Buffer.from('PK\x01\x02', 'latin1'));
  const nameBytes = bytes.readUInt16LE(central + 28);
  const extra = bytes.subarray(
    central + 46 + nameBytes,
    central + 46 + nameBytes + bytes.readUInt16LE(central + 30),
  );
  const zip64 = extra.indexOf(Buffer.from([1, 0, 16, 0]));
  assert.equal(extra.readBigUInt64LE(zip64 + 4), BigInt(size));
});

test('a zip of more than 65,535 entries has the 64-bit end, and the old one says so', async () => {
  const count = 70_000;
  const { bytes } = await collect(
    (sink) => new ZipWriter(sink),
    async (writer) => {
      for (let index = 0; index < count; index += 1) await writer.writeFile(file(String(index), 0, ''));
      await writer.end();
    },
  );
  assert.equal(bytes.readUInt16LE(bytes.length - 22 + 10), 0xffff);
  const locator = bytes.length - 22 - 20;
  const end64 = Number(bytes.readBigUInt64LE(locator + 8));
  assert.equal(bytes.readUInt32LE(end64), 0x06064b50);
  assert.equal(bytes.readBigUInt64LE(end64 + 32), BigInt(count));
  assert.equal(Number(bytes.readBigUInt64LE(end64 + 48)) + Number(bytes.readBigUInt64LE(end64 + 40)), end64);
});

test('a zip holds what it was given, packed and stored, at every size around its blocks', async () => {
  const sizes = [0, 1, 65_534, 65_535, 65_536, 131_070, 131_071, 524_288];
  for (const isPackedAlready of [true, false]) {
    const { bytes } = await collect(
      (sink) => new ZipWriter(sink),
      async (writer) => {
        for (const size of sizes)
          await writer.writeFile({ ...file(String(size), size, 'x'.repeat(size)), isPackedAlready });
        await writer.writeFolder({ name: 'folder', modifiedMs });
        await writer.end();
      },
    );
    const entries = readZip(bytes);
    assert.deepEqual(
      [...entries].map(([name, content]) => [name, content.length]),
      [...sizes.map((size) => [String(size), size]), ['folder/', 0]],
    );
  }
});

test('dates that zip cannot say are moved to the nearest that it can', async () => {
  for (const ms of [Number.NaN, -1e15, 0, Date.UTC(1979, 0), Date.UTC(2200, 0), 8.64e15]) {
    const { bytes } = await collect(
      (sink) => new ZipWriter(sink),
      async (writer) => {
        await writer.writeFile({ ...file('a', 0, ''), modifiedMs: ms });
        await writer.end();
      },
    );
    assert.deepEqual([...readZip(bytes).keys()], ['a']);
  }
});

test('small writes are gathered and large ones go through, in order and without mixing', async () => {
  const { bytes, writes } = await collect(
    (sink) => sink,
    async (sink) => {
      const gathering = new GatheringSink(sink);
      const shared = Buffer.alloc(1000);
      for (let index = 0; index < 300; index += 1) await gathering.write(shared.fill(index % 256));
      await gathering.write(Buffer.alloc(200_000, 7));
      await gathering.write(Buffer.from('end'));
      await gathering.flush();
    },
  );
  assert.ok(writes < 8);
  assert.equal(bytes.length, 500_003);
  for (let index = 0; index < 300; index += 1) assert.equal(bytes[index * 1000 + 999], index % 256);
  assert.equal(bytes.toString('latin1', 500_000), 'end');
});

function file(name: string, size: number, content: string) {
  return {
    name,
    modifiedMs,
    size,
    isPackedAlready: true,
    content: async (take: (chunk: Buffer) => Promise<void>) => {
      if (content !== '') await take(Buffer.from(content));
    },
  };
}

async function collect<Writer extends ArchiveFormatWriter | ByteSink>(
  make: (sink: ByteSink) => Writer,
  use: (writer: Writer) => Promise<void>,
): Promise<{ bytes: Buffer; writes: number }> {
  const pieces: Buffer[] = [];
  // Copied at once: the writers use their buffers again.
  await use(make({ write: async (bytes) => void pieces.push(Buffer.from(bytes)) }));
  return { bytes: Buffer.concat(pieces), writes: pieces.length };
}
