import type { Logger } from 'pino';
import { utf8OfBytes } from '../../util/platform/handle-path.ts';
import { printable } from '../../util/printable.ts';
import { pathRefusal } from '../../wire/house-path.ts';
import type { ArchiveFormatWriter } from './archive-format.ts';
import { isSameVersion } from './file-version.ts';
import { isCompressed } from './media-types.ts';
import { type HouseItem, type HouseView, openForReading, openInside, refuseAsFile } from './open-inside.ts';
import { pumpFile } from './pump-file.ts';
import { isRefusal } from './refusal.ts';
import { scanFolder } from './scan-folder.ts';

/** Names kept at once for each folder on the way down. */
const namesAtOnce = 10_000;

export interface ArchiveJob {
  readonly view: HouseView;
  readonly writer: ArchiveFormatWriter;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/**
 * Writes `folder` and all below it, as `name` and `name/…`, that a visitor may fetch: one entry after the other, each opened by the one
 * resolver when its turn comes. Left out are hidden and ignored entries, programs unless they are allowed, what leads out of the
 * house, what the house may not read, and links to folders (what they lead to is in the house already, and they could lead in circles).
 */
export async function archiveFolder(job: ArchiveJob, folder: HouseItem, name: string): Promise<void> {
  await job.writer.writeFolder({ name, modifiedMs: Number(folder.held.stats.mtimeMs) });
  let after: string | undefined;
  for (;;) {
    const scan = await scanFolder(folder.held.handlePath, {
      after,
      limit: namesAtOnce,
      isWanted: () => true,
      signal: job.signal,
    });
    await folder.held.confirm();
    for (const bytes of scan.names) {
      const child = utf8OfBytes(bytes);
      if (child !== undefined) await archiveChild(job, folder, child, `${name}/${child}`);
    }
    if (!scan.hasMore) return;
    after = scan.names.at(-1);
  }
}

async function archiveChild(job: ArchiveJob, folder: HouseItem, child: string, name: string): Promise<void> {
  job.signal.throwIfAborted();
  if (pathRefusal([...folder.segments, child].join('/')) !== undefined) return;
  const item = await openInside(job.view, folder, [child]);
  if (isRefusal(item)) return;
  await using _ = item;
  if (!item.isFolder) return await archiveFile(job, item, name);
  const isLink = item.realSegments.join('/') !== [...folder.realSegments, child].join('/');
  if (!isLink) await archiveFolder(job, item, name);
}

async function archiveFile(job: ArchiveJob, item: HouseItem, name: string): Promise<void> {
  if (refuseAsFile(job.view, item) !== undefined) return;
  const opened = await openForReading(item);
  if (isRefusal(opened)) {
    job.log.warn({ path: printable(item.segments.join('/')) }, 'left out of an archive: cannot be read');
    return;
  }
  await using file = opened;
  const stats = await file.stat({ bigint: true });
  const size = Number(stats.size);
  const isUnchanged = async (): Promise<boolean> => isSameVersion(stats, await file.stat({ bigint: true }));
  await job.writer.writeFile({
    name,
    modifiedMs: Number(stats.mtimeMs),
    size,
    isPackedAlready: isCompressed(name),
    content: (take) => pumpFile(file, { start: 0, end: size }, isUnchanged, take),
  });
}
