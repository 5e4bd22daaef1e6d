import {
  type ArchiveEntry,
  type ArchiveFile,
  type ArchiveFormatWriter,
  archivedFileMode,
  archivedFolderMode,
  type ByteSink,
} from './archive-format.ts';

const blockBytes = 512;
/** Eleven octal digits: beyond it the size stands in a pax header. */
const octalMax = 0o77777777777;

/**
 * A tar of POSIX.1-2001 (pax):
 *
 * ```
 * [pax header, its records]  header 512 B  content  zeros to 512   …   1,024 zeros
 * ```
 *
 * A pax header stands before an entry whose name is not short ASCII or whose size is 8 GiB and more.
 */
export class TarWriter implements ArchiveFormatWriter {
  readonly #sink: ByteSink;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  async writeFolder(entry: ArchiveEntry): Promise<void> {
    await this.#writeHeaders(`${entry.name}/`, '5', archivedFolderMode, 0, entry.modifiedMs);
  }

  async writeFile({ name, modifiedMs, size, content }: ArchiveFile): Promise<void> {
    await this.#writeHeaders(name, '0', archivedFileMode, size, modifiedMs);
    await content((chunk) => this.#sink.write(chunk));
    await this.#pad(size);
  }

  async end(): Promise<void> {
    await this.#sink.write(Buffer.alloc(2 * blockBytes));
  }

  async #writeHeaders(
    name: string,
    type: string,
    mode: number,
    size: number,
    modifiedMs: number,
  ): Promise<void> {
    const records = paxRecords(name, size);
    if (records.length > 0) {
      // The name of the header itself matters to nobody; tools that know no pax unpack it as a small file.
      await this.#sink.write(header('PaxHeader', 'x', archivedFileMode, records.length, modifiedMs));
      await this.#sink.write(records);
      await this.#pad(records.length);
    }
    await this.#sink.write(header(name, type, mode, size > octalMax ? 0 : size, modifiedMs));
  }

  async #pad(size: number): Promise<void> {
    const rest = size % blockBytes;
    if (rest > 0) await this.#sink.write(Buffer.alloc(blockBytes - rest));
  }
}

function paxRecords(name: string, size: number): Buffer {
  const isPlain = /^[\u0020-\u007e]{1,100}$/.test(name);
  return Buffer.concat([
    isPlain ? Buffer.alloc(0) : paxRecord('path', name),
    size > octalMax ? paxRecord('size', String(size)) : Buffer.alloc(0),
  ]);
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record, its own digits too. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** The ustar header; a name that does not fit is cut, and stands whole in the pax header before it. */
function header(name: string, type: string, mode: number, size: number, modifiedMs: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const seconds = Math.min(Math.max(0, Math.floor(modifiedMs / 1000)), octalMax);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(name, 0, 100, 'utf8');
  block.write(octal(mode, 7), 100, 'latin1');
  block.write(octal(0, 7), 108, 'latin1'); // user
  block.write(octal(0, 7), 116, 'latin1'); // group
  block.write(octal(size, 11), 124, 'latin1');
  block.write(octal(seconds, 11), 136, 'latin1');
  block.write(' '.repeat(8), 148, 'latin1'); // the checksum counts itself as blanks
  block.write(type, 156, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
