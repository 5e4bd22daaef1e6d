import { once } from 'node:events';
import type { BigIntStats, Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Archiver, EntryData, ZipEntryData } from 'archiver';
import type { Logger } from 'pino';
import { linkAbort } from '../../util/deadline.ts';
import { utf8OfBytes } from '../../util/platform/handle-path.ts';
import { printable } from '../../util/printable.ts';
import { pathRefusal } from '../../wire/house-path.ts';
import { isSameVersion } from './file-version.ts';
import { isCompressed } from './media-types.ts';
import { type HouseItem, type HouseView, openForReading, openInside, refuseAsFile } from './open-inside.ts';
import { isRefusal } from './refusal.ts';
import { scanFolder } from './scan-folder.ts';
import { sendBufferBytes } from './send-bytes.ts';

/** Names kept at once for each folder on the way down. */
const namesAtOnce = 10_000;

/**
 * Writes what a visitor may fetch into an archive, entry by entry: the next file is opened when the last one was taken. Left out are
 * hidden and ignored entries, programs unless they are allowed, what leads out of the house, what the house may not read, and links
 * to folders (what they lead to is in the house already, and they could lead round in circles).
 */
export class ArchiveWriter {
  readonly #archive: Archiver;
  readonly #view: HouseView;
  readonly #signal: AbortSignal;
  readonly #log: Logger;

  constructor(archive: Archiver, view: HouseView, signal: AbortSignal, log: Logger) {
    this.#archive = archive;
    this.#view = view;
    this.#signal = signal;
    this.#log = log;
  }

  /** `folder` and all below it, as `name` and `name/…`. */
  async writeFolder(folder: HouseItem, name: string): Promise<void> {
    await this.#append(Buffer.alloc(0), { name, type: 'directory', ...attributes(folder.held.stats) });
    let after: string | undefined;
    for (;;) {
      const { names, hasMore } = await scanFolder(folder.held.handlePath, {
        after,
        limit: namesAtOnce,
        isWanted: () => true,
        signal: this.#signal,
      });
      for (const bytes of names) {
        const child = utf8OfBytes(bytes);
        if (child !== undefined) await this.#writeChild(folder, child, `${name}/${child}`);
      }
      await folder.held.confirm();
      after = names.at(-1);
      if (!hasMore) return;
    }
  }

  async #writeChild(folder: HouseItem, child: string, name: string): Promise<void> {
    if (pathRefusal([...folder.segments, child].join('/')) !== undefined) return;
    const item = await openInside(this.#view, folder, [child]);
    if (isRefusal(item)) return;
    await using _ = item;
    if (!item.isFolder) await this.#writeFile(item, name);
    else if (item.realSegments.join('/') === [...folder.realSegments, child].join('/')) {
      await this.writeFolder(item, name);
    }
  }

  async #writeFile(item: HouseItem, name: string): Promise<void> {
    if (refuseAsFile(this.#view, item) !== undefined) return;
    const file = await openForReading(item);
    if (isRefusal(file)) {
      this.#log.warn({ path: printable(item.segments.join('/')) }, 'left out of an archive: cannot be read');
      return;
    }
    await using _ = file;
    const stats = await file.stat({ bigint: true });
    await this.#append(Readable.from(chunksOf(file, stats), { objectMode: false }), {
      name,
      type: 'file',
      store: isCompressed(name),
      ...attributes(stats),
    });
  }

  /** Ends when the archive has taken the whole entry. */
  async #append(source: Readable | Buffer, data: EntryData | ZipEntryData): Promise<void> {
    using link = linkAbort(this.#signal);
    // The archive pipes its sources through another stream, which passes no errors on.
    if (source instanceof Readable) source.once('error', (error) => link.abort(error));
    try {
      const taken = once(this.#archive, 'entry', { signal: link.signal });
      this.#archive.append(source, data);
      await taken;
    } catch (error) {
      throw link.signal.aborted ? link.signal.reason : error;
    } finally {
      if (source instanceof Readable) source.destroy();
    }
  }
}

/** The bytes that `stats` promise; throws when the file turns out to be another version. */
async function* chunksOf(file: FileHandle, stats: BigIntStats): AsyncGenerator<Buffer> {
  const size = Number(stats.size);
  let position = 0;
  while (position < size) {
    const buffer = Buffer.allocUnsafe(Math.min(sendBufferBytes, size - position));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) throw new Error('a file was cut short while it was archived');
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
  if (!isSameVersion(stats, await file.stat({ bigint: true }))) {
    throw new Error('a file changed while it was archived');
  }
}

/** The size must be known to a tar before its bytes; owner and permissions stay at home. */
function attributes(stats: BigIntStats): { date: Date; mode: number; stats: Stats } {
  const isFolder = stats.isDirectory();
  return {
    date: new Date(Number(stats.mtimeMs)),
    mode: isFolder ? 0o755 : 0o644,
    stats: { size: isFolder ? 0 : Number(stats.size) } as Stats,
  };
}
