import { crc32, inflateRawSync } from 'node:zlib';

/** Content by name, in the order of the archive; folders end in `/`. */
export type ArchiveEntries = Map<string, Buffer>;

/** Reads a zip by its central directory, as every unpacker does; checks sizes and CRC-32. */
export function readZip(archive: Buffer): ArchiveEntries {
  const end = archive.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end === -1) throw new Error('Cannot read zip: it has no end of central directory');
  const entries: ArchiveEntries = new Map();
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left -= 1) {
    const [method, crc] = [archive.readUInt16LE(at + 10), archive.readUInt32LE(at + 16)];
    const [packed, size] = [archive.readUInt32LE(at + 20), archive.readUInt32LE(at + 24)];
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) =>
      archive.readUInt16LE(at + offset),
    ) as [number, number, number];
    const local = archive.readUInt32LE(at + 42);
    const name = archive.toString('utf8', at + 46, at + 46 + nameBytes);
    const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    const bytes = archive.subarray(start, start + packed);
    const content = method === 8 ? inflateRawSync(bytes) : bytes;
    if (content.length !== size || crc32(content) !== crc)
      throw new Error(`Cannot read zip: ${name} is damaged`);
    entries.set(name, content);
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return entries;
}

/** Reads a tar (ustar with pax names); checks that it ends as a tar must. */
export function readTar(archive: Buffer): ArchiveEntries {
  const entries: ArchiveEntries = new Map();
  let paxName: string | undefined;
  let at = 0;
  for (; archive[at] !== 0; ) {
    const header = archive.subarray(at, at + 512);
    const size = Number.parseInt(header.toString('latin1', 124, 136), 8);
    const type = String.fromCharCode(header[156] ?? 0);
    const content = archive.subarray(at + 512, at + 512 + size);
    const field = (start: number, end: number): string =>
      header.toString('utf8', start, end).replace(/\0.*$/s, '');
    const prefix = field(345, 500);
    const name = paxName ?? (prefix === '' ? field(0, 100) : `${prefix}/${field(0, 100)}`);
    paxName = undefined;
    if (type === 'x') paxName = /\d+ path=(.*)\n/.exec(content.toString())?.[1];
    else entries.set(name, content);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  if (archive.length !== at + 1024) throw new Error('Cannot read tar: it does not end with two empty blocks');
  return entries;
}
