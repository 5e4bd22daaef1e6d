import { answerFor } from '../conditional-request.ts';
import { contentDisposition } from '../content-disposition.ts';
import type { Exchange } from '../exchange.ts';
import { type FileVersion, fileVersion, isSameVersion } from '../file-version.ts';
import { inlineTypeOf, unknownMediaType } from '../media-types.ts';
import { type HouseView, openForReading, openInside, refuseAsFile } from '../open-inside.ts';
import { pumpFile } from '../pump-file.ts';
import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import { ResponseSink } from '../response-sink.ts';
import { namesOf } from './list-folder.ts';

/** What one house shows differs by visitor and may change at once: only the visitor keeps it, and asks before using it again. */
const fileCaching = 'private, no-cache';

/** `GET /download/<path>`: always an attachment of unknown type, whatever it is. */
export function downloadFile(exchange: Exchange, view: HouseView): Promise<Refusal | undefined> {
  return sendFile(exchange, view, () => ({ kind: 'attachment', type: unknownMediaType }));
}

/** `GET /content/<path>`: inline when the type is on the list, else an attachment of unknown type. */
export function showFile(exchange: Exchange, view: HouseView): Promise<Refusal | undefined> {
  return sendFile(exchange, view, (name) => {
    const type = inlineTypeOf(name);
    return type === undefined ? { kind: 'attachment', type: unknownMediaType } : { kind: 'inline', type };
  });
}

interface Presentation {
  readonly kind: 'inline' | 'attachment';
  readonly type: string;
}

async function sendFile(
  exchange: Exchange,
  view: HouseView,
  presentationOf: (name: string) => Presentation,
): Promise<Refusal | undefined> {
  const { target, response, signal } = exchange;
  const item = await openInside(view, view.root, namesOf(target.path));
  if (isRefusal(item)) return item;
  await using _ = item;
  const refusal = refuseAsFile(view, item);
  if (refusal !== undefined) return refusal;
  const name = item.segments.at(-1) ?? '';
  const opened = await openForReading(item);
  if (isRefusal(opened)) return opened;
  await using file = opened;
  // Of the handle that is read from: what was held may have grown since.
  const stats = await file.stat({ bigint: true });
  const version = fileVersion(stats);
  const answer = answerFor(exchange.method, exchange.request.headers, version);
  setVersionHeaders(exchange, version);
  if (answer.status === 412) return refuse(412, 'the file is another version than the one asked for');
  if (answer.status === 416) {
    return refuse(416, 'the range lies beyond the end of the file', {
      'Content-Range': `bytes */${version.size}`,
    });
  }
  if (answer.status === 304) {
    response.writeHead(304).end();
    return undefined;
  }
  const { range } = answer;
  const { kind, type } = presentationOf(name);
  response.setHeader('Content-Type', type);
  response.setHeader('Content-Disposition', contentDisposition(kind, name));
  response.setHeader('Content-Length', range.end - range.start);
  if (answer.status === 206) {
    response.setHeader('Content-Range', `bytes ${range.start}-${range.end - 1}/${version.size}`);
  }
  response.writeHead(answer.status);
  if (exchange.method === 'HEAD' || range.end === range.start) {
    response.end();
    return undefined;
  }
  const isUnchanged = async (): Promise<boolean> => isSameVersion(stats, await file.stat({ bigint: true }));
  const body = new ResponseSink(response, signal);
  await pumpFile(file, range, isUnchanged, (chunk) => body.write(chunk));
  body.end();
  return undefined;
}

function setVersionHeaders({ response }: Exchange, version: FileVersion): void {
  response.setHeader('ETag', version.etag);
  response.setHeader('Last-Modified', new Date(version.modifiedSeconds * 1000).toUTCString());
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Cache-Control', fileCaching);
}
