import { type ArchiveFormat, archiveFormats } from '../../../wire/house-http.ts';
import { archiveFolder } from '../archive-folder.ts';
import type { ArchiveFormatWriter, ByteSink } from '../archive-format.ts';
import { contentDisposition } from '../content-disposition.ts';
import type { Exchange } from '../exchange.ts';
import { GatheringSink } from '../gathering-sink.ts';
import { type HouseView, openInside } from '../open-inside.ts';
import { busyRefusal, isRefusal, type Refusal, refuse } from '../refusal.ts';
import { ResponseSink } from '../response-sink.ts';
import type { Slots } from '../slots.ts';
import { TarWriter } from '../tar-writer.ts';
import { ZipWriter } from '../zip-writer.ts';
import { namesOf } from './list-folder.ts';

/** What an archive of the whole house is called: the name of its folder is the owner's business. */
const houseArchiveName = 'house';

interface FormatPresentation {
  readonly mediaType: string;
  readonly writerFor: (sink: ByteSink) => ArchiveFormatWriter;
}

const presentations: Readonly<Record<ArchiveFormat, FormatPresentation>> = {
  zip: { mediaType: 'application/zip', writerFor: (sink) => new ZipWriter(sink) },
  tar: { mediaType: 'application/x-tar', writerFor: (sink) => new TarWriter(sink) },
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
  const { target, response, signal, visitor, log } = exchange;
  const wanted = target.query.get('format') ?? 'zip';
  const format = archiveFormats.find((known) => known === wanted);
  if (format === undefined) return refuse(400, `format must be one of ${archiveFormats.join(', ')}`);
  const folder = await openInside(view, view.root, namesOf(target.path));
  if (isRefusal(folder)) return folder;
  await using _ = folder;
  if (!folder.isFolder) return refuse(400, 'this is a file: ask /download for it');
  using slot = slots.take(visitor.fingerprint);
  if (slot === undefined) return busyRefusal;

  const { mediaType, writerFor } = presentations[format];
  const name = folder.segments.at(-1) ?? houseArchiveName;
  response.writeHead(200, {
    'Content-Type': mediaType,
    'Content-Disposition': contentDisposition('attachment', `${name}.${format}`),
    'Cache-Control': 'no-store',
  });
  if (exchange.method === 'HEAD') {
    response.end();
    return undefined;
  }
  const body = new ResponseSink(response, signal);
  const gathering = new GatheringSink(body);
  const writer = writerFor(gathering);
  await archiveFolder({ view, writer, signal, log }, folder, name);
  await writer.end();
  await gathering.flush();
  body.end();
  return undefined;
}
