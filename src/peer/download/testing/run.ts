import { createHash, randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import pino from 'pino';
import type { DownloadEvent, DownloadRequest } from '../../../wire/local-api.ts';
import { ActiveDownloads } from '../active-downloads.ts';
import { type DownloadDependencies, runDownload } from '../downloads.ts';
import type { TestHouse } from './test-house.ts';

export interface RunOptions extends Partial<DownloadRequest> {
  readonly signal?: AbortSignal;
  readonly dependencies?: Partial<DownloadDependencies>;
  readonly onEvent?: (event: DownloadEvent) => void | Promise<void>;
}

/** Downloads from a test house and returns what was told, the last event apart. */
export async function download(
  house: TestHouse,
  path: string,
  { signal, dependencies, onEvent, ...request }: RunOptions = {},
): Promise<{ readonly events: DownloadEvent[]; readonly last: DownloadEvent; readonly target: string }> {
  const target = request.target ?? join(house.downloads, path.split('/').at(-1) || 'all');
  const wanted = { peer: 'owner@example.com', overwrite: false, recursive: false, ...request, path, target };
  const events: DownloadEvent[] = [];
  const run = runDownload(wanted, dependenciesFor(house, dependencies), signal ?? never);
  for await (const event of run) {
    events.push(event);
    await onEvent?.(event);
  }
  const last = events.at(-1);
  if (last === undefined) throw new Error('a download told nothing at all');
  return { events: events.filter(({ event }) => event !== 'progress'), last, target };
}

export function dependenciesFor(
  house: TestHouse,
  changes: Partial<DownloadDependencies> = {},
): DownloadDependencies {
  return {
    connect: () => Promise.resolve(house.client()),
    active: new ActiveDownloads(),
    log: pino({ level: 'silent' }),
    nowMs: Date.now,
    delays: { firstMs: 1, maxMs: 5 },
    ...changes,
  };
}

const never = new AbortController().signal;

/** Bytes that no compression and no lucky repetition can mistake for others. */
export function randomBytes(count: number): Buffer {
  return randomFillSync(Buffer.allocUnsafe(count));
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
