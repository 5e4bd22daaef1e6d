import { digestBlockBytes, digestBlocksMax, type HouseDigest } from '../../../wire/house-http.ts';
import { sha256Bytes } from '../digest-job.ts';
import { blockCount, type DigestQuestion, type DigestService } from '../digest-service.ts';
import type { Exchange } from '../exchange.ts';
import { fileVersion } from '../file-version.ts';
import { type HouseView, openInside, refuseAsFile } from '../open-inside.ts';
import { busyRefusal, isRefusal, type Refusal, refuse, sendJson } from '../refusal.ts';
import type { Slots } from '../slots.ts';
import { namesOf } from './list-folder.ts';

/** `GET /digest/<path>`: SHA-256 of a file, whole and by block. It answers when the bytes have been read. */
export async function sendDigest(
  exchange: Exchange,
  view: HouseView,
  service: DigestService,
  slots: Slots,
): Promise<Refusal | undefined> {
  const { target, response, signal, visitor } = exchange;
  const item = await openInside(view, view.root, namesOf(target.path));
  if (isRefusal(item)) return item;
  await using _ = item;
  const refusal = refuseAsFile(view, item);
  if (refusal !== undefined) return refusal;
  const version = fileVersion(item.held.stats);
  const wanted = parseWanted(target.query, blockCount(version.size));
  if (isRefusal(wanted)) return wanted;
  using slot = slots.take(visitor.fingerprint);
  if (slot === undefined) return busyRefusal;
  const digests = await service.digests(item, wanted, signal);
  if (isRefusal(digests)) return digests;
  const body: HouseDigest = {
    path: item.segments.join('/'),
    size: version.size,
    modified: version.modified,
    etag: version.etag,
    blockBytes: digestBlockBytes,
    ...(digests.sha256 === undefined ? {} : { sha256: hex(digests.sha256) }),
    ...(wanted.kind === 'span' && { from: wanted.from }),
    ...(wanted.kind !== 'whole' && digests.blocks !== undefined && { blocks: blocksOf(digests.blocks) }),
  };
  sendJson(response, 200, body);
  return undefined;
}

function parseWanted(query: URLSearchParams, count: number): DigestQuestion | Refusal {
  const [blocks, from, wanted] = [query.get('blocks'), query.get('from'), query.get('count')];
  if (blocks !== null && blocks !== 'none') return refuse(400, 'blocks must be none or absent');
  if (from === null && wanted === null) {
    if (blocks === null && count > digestBlocksMax) {
      return refuse(
        400,
        `the file has over ${digestBlocksMax} blocks: ask with blocks=none, or from and count`,
      );
    }
    return { kind: blocks === null ? 'whole-and-blocks' : 'whole' };
  }
  if (blocks !== null) return refuse(400, 'blocks=none goes without from and count');
  const start = integer(from);
  const length = integer(wanted);
  if (start === undefined || length === undefined || length < 1 || length > digestBlocksMax) {
    return refuse(400, `from and count must be whole numbers, count from 1 to ${digestBlocksMax}`);
  }
  if (start >= count) return refuse(416, `the file has ${count} blocks`);
  return { kind: 'span', from: start, end: Math.min(start + length, count) };
}

function integer(text: string | null): number | undefined {
  return text !== null && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function blocksOf(digests: Uint8Array): string[] {
  const blocks: string[] = [];
  for (let start = 0; start < digests.length; start += sha256Bytes) {
    blocks.push(hex(digests.subarray(start, start + sha256Bytes)));
  }
  return blocks;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
