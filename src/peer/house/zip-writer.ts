import { promisify } from 'node:util';
import { constants, crc32, deflateRaw } from 'node:zlib';
import {
  type ArchiveEntry,
  type ArchiveFile,
  type ArchiveFormatWriter,
  archivedFileMode,
  archivedFolderMode,
  type ByteSink,
} from './archive-format.ts';

/** Each costs its name and some 70 bytes until the end, where all stand once more: about 150 MB at the worst ordinary names. */
const entriesMax = 1_000_000;
const uint16Max = 0xffff;
const uint32Max = 0xffffffff;
/** Files from here on have 64-bit sizes: even what deflate adds to bytes it cannot pack stays below 4 GiB under it. */
const zip64FileBytes = 0xf0000000;
/** Fast, and within a tenth of the best for text. */
const deflateLevel = 3;

/** APPNOTE 4.4.4: sizes and CRC follow the bytes; names are UTF-8. */
const flagDescriptor = 1 << 3;
const flagUtf8 = 1 << 11;
const methodStored = 0;
const methodDeflate = 8;
const versionDeflate = 20;
const versionZip64 = 45;
/** Upper byte 3: Unix, so that the mode is read. */
const madeBy = (3 << 8) | versionZip64;

interface Written {
  readonly name: Buffer;
  readonly modifiedMs: number;
  readonly attributes: number;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly sizeBytes: number;
  readonly offset: number;
}

/**
 * A zip by PKWARE's APPNOTE 6.3.9, written as it goes:
 *
 * ```
 * local header, name, extra | bytes | CRC and sizes   …   central directory   [zip64 end, its locator]   end
 * ```
 *
 * Every file with bytes is "deflated", if need be into blocks that deflate merely stores: only such an entry says where it ends, so that
 * programs which unpack from a pipe manage too. Chunks are packed on their own and joined (a deflate stream is a row of blocks).
 */
export class ZipWriter implements ArchiveFormatWriter {
  readonly #sink: ByteSink;
  readonly #written: Written[] = [];
  #offset = 0;
  #blocks = Buffer.alloc(0);

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  async writeFolder({ name, modifiedMs }: ArchiveEntry): Promise<void> {
    await this.#writeEmpty(`${name}/`, modifiedMs, (archivedFolderMode | 0o040000) * 0x10000 + 0x10);
  }

  async writeFile(file: ArchiveFile): Promise<void> {
    const attributes = (archivedFileMode | 0o100000) * 0x10000;
    if (file.size === 0) {
      await this.#writeEmpty(file.name, file.modifiedMs, attributes);
      return;
    }
    const offset = this.#offset;
    const name = Buffer.from(file.name);
    const is64 = file.size >= zip64FileBytes;
    await this.#write(localHeader(name, file.modifiedMs, methodDeflate, is64));
    const start = this.#offset;
    let crc = 0;
    await file.content(async (chunk) => {
      crc = crc32(chunk, crc);
      await this.#write(file.isPackedAlready ? this.#stored(chunk) : await packedBlocks(chunk));
    });
    await this.#write(lastBlock);
    const packedBytes = this.#offset - start;
    await this.#write(descriptor(crc, packedBytes, file.size, is64));
    this.#remember({
      name,
      modifiedMs: file.modifiedMs,
      attributes,
      method: methodDeflate,
      crc,
      packedBytes,
      sizeBytes: file.size,
      offset,
    });
  }

  async end(): Promise<void> {
    const start = this.#offset;
    for (const entry of this.#written) await this.#write(centralHeader(entry));
    await this.#write(endRecords(this.#written.length, start, this.#offset - start));
  }

  async #writeEmpty(path: string, modifiedMs: number, attributes: number): Promise<void> {
    const [name, offset] = [Buffer.from(path), this.#offset];
    await this.#write(localHeader(name, modifiedMs, methodStored, false));
    this.#remember({
      name,
      modifiedMs,
      attributes,
      method: methodStored,
      crc: 0,
      packedBytes: 0,
      sizeBytes: 0,
      offset,
    });
  }

  /** Good until the next call: whoever is handed it is done with it by then. */
  #stored(chunk: Buffer): Buffer {
    const needed = chunk.length + 5 * Math.ceil(chunk.length / uint16Max);
    if (this.#blocks.length < needed) this.#blocks = Buffer.allocUnsafeSlow(needed);
    return storedBlocks(chunk, this.#blocks);
  }

  #remember(entry: Written): void {
    if (this.#written.length >= entriesMax) throw new Error(`Cannot write zip: over ${entriesMax} entries`);
    this.#written.push(entry);
  }

  async #write(bytes: Buffer): Promise<void> {
    this.#offset += bytes.length;
    await this.#sink.write(bytes);
  }
}

const deflateRawAsync = promisify(deflateRaw);

/** Ends at a byte with an empty block, and is not the last: another may follow (RFC 1951 §3.2.3). */
function packedBlocks(chunk: Buffer): Promise<Buffer> {
  return deflateRawAsync(chunk, { level: deflateLevel, finishFlush: constants.Z_SYNC_FLUSH });
}

/** RFC 1951 §3.2.4: a byte of zeros (not last, stored), the length, its complement, the bytes. Written into `blocks`. */
function storedBlocks(chunk: Buffer, blocks: Buffer): Buffer {
  let at = 0;
  for (let start = 0; start < chunk.length; start += uint16Max) {
    const length = Math.min(uint16Max, chunk.length - start);
    blocks.writeUInt8(0, at);
    blocks.writeUInt16LE(length, at + 1);
    blocks.writeUInt16LE(uint16Max - length, at + 3);
    chunk.copy(blocks, at + 5, start, start + length);
    at += 5 + length;
  }
  return blocks.subarray(0, at);
}

/** An empty block that is the last one, in fixed codes. */
const lastBlock = Buffer.from([0x03, 0x00]);

function localHeader(name: Buffer, modifiedMs: number, method: number, is64: boolean): Buffer {
  const hasDescriptor = method === methodDeflate;
  const fields = Buffer.alloc(30);
  fields.writeUInt32LE(0x04034b50, 0);
  fields.writeUInt16LE(is64 ? versionZip64 : versionDeflate, 4);
  fields.writeUInt16LE(flagUtf8 | (hasDescriptor ? flagDescriptor : 0), 6);
  fields.writeUInt16LE(method, 8);
  fields.writeUInt32LE(dosTime(modifiedMs), 10);
  // CRC and sizes follow the bytes; 64-bit ones are announced here.
  fields.writeUInt32LE(is64 ? uint32Max : 0, 18);
  fields.writeUInt32LE(is64 ? uint32Max : 0, 22);
  const extra = Buffer.concat([unixTime(modifiedMs), ...(is64 ? [zip64Extra([0, 0])] : [])]);
  fields.writeUInt16LE(name.length, 26);
  fields.writeUInt16LE(extra.length, 28);
  return Buffer.concat([fields, name, extra]);
}

function descriptor(crc: number, packedBytes: number, sizeBytes: number, is64: boolean): Buffer {
  const fields = Buffer.alloc(is64 ? 24 : 16);
  fields.writeUInt32LE(0x08074b50, 0);
  fields.writeUInt32LE(crc, 4);
  writeSize(fields, packedBytes, 8, is64);
  writeSize(fields, sizeBytes, is64 ? 16 : 12, is64);
  return fields;
}

function writeSize(fields: Buffer, size: number, offset: number, is64: boolean): void {
  if (is64) fields.writeBigUInt64LE(BigInt(size), offset);
  else fields.writeUInt32LE(size, offset);
}

function centralHeader(entry: Written): Buffer {
  const { name, modifiedMs, method, crc, sizeBytes, packedBytes, offset } = entry;
  const is64File = sizeBytes >= zip64FileBytes;
  const large = [...(is64File ? [sizeBytes, packedBytes] : []), ...(offset >= uint32Max ? [offset] : [])];
  const extra = Buffer.concat([unixTime(modifiedMs), ...(large.length > 0 ? [zip64Extra(large)] : [])]);
  const fields = Buffer.alloc(46);
  fields.writeUInt32LE(0x02014b50, 0);
  fields.writeUInt16LE(madeBy, 4);
  fields.writeUInt16LE(large.length > 0 ? versionZip64 : versionDeflate, 6);
  fields.writeUInt16LE(flagUtf8 | (method === methodDeflate ? flagDescriptor : 0), 8);
  fields.writeUInt16LE(method, 10);
  fields.writeUInt32LE(dosTime(modifiedMs), 12);
  fields.writeUInt32LE(crc, 16);
  fields.writeUInt32LE(is64File ? uint32Max : packedBytes, 20);
  fields.writeUInt32LE(is64File ? uint32Max : sizeBytes, 24);
  fields.writeUInt16LE(name.length, 28);
  fields.writeUInt16LE(extra.length, 30);
  fields.writeUInt32LE(entry.attributes, 38);
  fields.writeUInt32LE(Math.min(offset, uint32Max), 42);
  return Buffer.concat([fields, name, extra]);
}

function endRecords(count: number, start: number, length: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(count, uint16Max), 8);
  end.writeUInt16LE(Math.min(count, uint16Max), 10);
  end.writeUInt32LE(Math.min(length, uint32Max), 12);
  end.writeUInt32LE(Math.min(start, uint32Max), 16);
  if (count < uint16Max && length < uint32Max && start < uint32Max) return end;
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4); // of what follows
  end64.writeUInt16LE(madeBy, 12);
  end64.writeUInt16LE(versionZip64, 14);
  end64.writeBigUInt64LE(BigInt(count), 24);
  end64.writeBigUInt64LE(BigInt(count), 32);
  end64.writeBigUInt64LE(BigInt(length), 40);
  end64.writeBigUInt64LE(BigInt(start), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(start + length), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end64, locator, end]);
}

/** Extra field 0x0001: what did not fit into 32 bits, in the order of the header. */
function zip64Extra(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length);
  extra.writeUInt16LE(0x0001, 0);
  extra.writeUInt16LE(8 * values.length, 2);
  for (const [index, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  return extra;
}

/** Extra field 0x5455: the modification time in UTC seconds. The other one is local time, in steps of two seconds, from 1980. */
function unixTime(modifiedMs: number): Buffer {
  const extra = Buffer.alloc(9);
  extra.writeUInt16LE(0x5455, 0);
  extra.writeUInt16LE(5, 2);
  extra.writeUInt8(1, 4);
  extra.writeInt32LE(Math.min(Math.max(Math.floor(modifiedMs / 1000), -0x80000000), 0x7fffffff), 5);
  return extra;
}

/** MS-DOS time in the lower and date in the upper 16 bits. */
function dosTime(modifiedMs: number): number {
  const date = new Date(modifiedMs);
  const year = date.getFullYear();
  if (Number.isNaN(year) || year < 1980) return 0x0021_0000;
  if (year > 2107) return 0xff9f_bf7d;
  const day = ((year - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate();
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  return day * 0x10000 + time;
}
