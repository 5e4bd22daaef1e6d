import { pipeline } from 'node:stream/promises';
import { type Archiver, TarArchive, ZipArchive } from 'archiver';
import { linkAbort } from '../../../util/deadline.ts';
import { type ArchiveFormat, archiveFormats } from '../../../wire/house-http.ts';
import { ArchiveWriter } from '../archive-writer.ts';
import { contentDisposition } from '../content-disposition.ts';
import type { Exchange } from '../exchange.ts';
import { type HouseView, openInside } from '../open-inside.ts';
import { busyRefusal, isRefusal, type Refusal, refuse } from '../refusal.ts';
import type { Slots } from '../slots.ts';
import { namesOf } from './list-folder.ts';

/** A visitor who takes nothing for this long is gone: the folder is not held open for them. */
const stallMs = 120_000;
/** What an archive of the whole house is called: its folder's own name is the owner's business. */
const houseArchiveName = 'house';

const mediaTypes: Readonly<Record<ArchiveFormat, string>> = {
  zip: 'application/zip',
  tar: 'application/x-tar',
};

/**
 * `GET /archive/<path>?format=zip|tar`: a folder as one file, made while it is sent. Its length is not known before, so it
 * comes chunked; whatever goes wrong on the way cuts the connection, and an archive that ends is whole.
 */
export async function sendArchive(
  exchange: Exchange,
  view: HouseView,
  slots: Slots,
): Promise<Refusal | undefined> {
  const { target, response, signal, visitor } = exchange;
  const wanted = target.query.get('format') ?? 'zip';
  const format = archiveFormats.find((known) => known === wanted);
  if (format === undefined) return refuse(400, `format must be one of ${archiveFormats.join(', ')}`);
  const folder = await openInside(view, view.root, namesOf(target.path));
  if (isRefusal(folder)) return folder;
  await using _ = folder;
  if (!folder.isFolder) return refuse(400, 'this is a file: ask /download for it');
  using slot = slots.take(visitor.fingerprint);
  if (slot === undefined) return busyRefusal;

  const name = folder.segments.at(-1) ?? houseArchiveName;
  response.writeHead(200, {
    'Content-Type': mediaTypes[format],
    'Content-Disposition': contentDisposition('attachment', `${name}.${format}`),
    'Cache-Control': 'no-store',
  });
  if (exchange.method === 'HEAD') {
    response.end();
    return undefined;
  }
  using link = linkAbort(signal);
  const archive = format === 'zip' ? new ZipArchive() : new TarArchive();
  using _stall = abortWhenStalled(archive, () => link.abort(new Error('the visitor stopped reading')));
  const sent = pipeline(archive, response, { signal: link.signal });
  const written = new ArchiveWriter(archive, view, link.signal, exchange.log).writeFolder(folder, name);
  // Whichever fails first stops the other; both must have ended before the folder is let go.
  const failed = (error: unknown): never => {
    link.abort(error);
    archive.destroy();
    throw error;
  };
  const outcomes = await Promise.allSettled([
    sent.catch(failed),
    written.then(() => archive.finalize()).catch(failed),
  ]);
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') throw link.signal.reason ?? outcome.reason;
  return undefined;
}

function abortWhenStalled(archive: Archiver, abort: () => void): Disposable {
  let sentBytes = -1;
  const timer = setInterval(() => {
    if (archive.pointer() === sentBytes) abort();
    sentBytes = archive.pointer();
  }, stallMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
