import type { Logger } from 'pino';
import { linkAbort } from '../../util/deadline.ts';
import { errorCode } from '../../util/error-code.ts';
import { printable } from '../../util/printable.ts';
import { pathRefusal } from '../../wire/house-path.ts';
import {
  type DownloadEvent,
  type DownloadRequest,
  type FailureCode,
  FailureCodeSchema,
} from '../../wire/local-api.ts';
import type { HouseClient } from '../visit/house-client.ts';
import { VisitError } from '../visit/visit-error.ts';
import type { ActiveDownloads } from './active-downloads.ts';
import { DownloadError } from './download-error.ts';
import { downloadFile } from './download-file.ts';
import { FolderDownload } from './download-folder.ts';
import { EventQueue } from './event-queue.ts';
import type { FolderProgress } from './folder-tally.ts';
import { HouseSession, type HouseSessionOptions } from './house-session.ts';
import { SpeedEstimator } from './progress.ts';

export interface DownloadDependencies {
  /** Finds somebody's house and opens a visit to it, which the download disposes; what it throws carries a `FailureCode`. */
  readonly connect: (email: string, signal: AbortSignal) => Promise<HouseClient>;
  /** One for the daemon: it bounds how many downloads run, and keeps them off each other's files. */
  readonly active: ActiveDownloads;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Waits between tries to reconnect; set by tests. */
  readonly delays?: HouseSessionOptions['delays'];
}

/** Five times a second: smooth to the eye, nothing to the machine. */
const progressIntervalMs = 200;

/** How a download reads from outside while it runs; a single file counts no files. */
type Reading = Omit<FolderProgress, 'files' | 'filesTotal'> &
  Partial<Pick<FolderProgress, 'files' | 'filesTotal'>> & { readonly path: string };

/**
 * Downloads a file or a folder and tells how it goes. The last event is `done` or `failed`, whatever happens, and
 * nothing is thrown. When `signal` aborts, or the reader leaves, it stops at once; what came stays for the next try.
 */
export async function* runDownload(
  request: DownloadRequest,
  dependencies: DownloadDependencies,
  signal: AbortSignal,
): AsyncGenerator<DownloadEvent> {
  using link = linkAbort(signal);
  const events = new EventQueue();
  const work = perform(request, dependencies, events, link.signal).then(
    (done) => events.end(done),
    (error: unknown) => events.end(failed(error, dependencies.log, link.signal)),
  );
  try {
    yield* events;
  } finally {
    link.abort(new Error('nobody listens to the download any more'));
    await work;
  }
}

async function perform(
  request: DownloadRequest,
  { connect, active, delays, nowMs }: DownloadDependencies,
  events: EventQueue,
  signal: AbortSignal,
): Promise<DownloadEvent> {
  checkRequest(request);
  using _place = await active.enter(signal);
  using session = new HouseSession({
    connect: (connectSignal) => connect(request.peer, connectSignal),
    signal,
    ...(delays !== undefined && { delays }),
  });
  const parts = { request, session, active, events, nowMs, signal };
  try {
    return request.recursive ? await performFolder(parts) : await performFile(parts);
  } catch (error) {
    throw await explained(error, parts);
  }
}

interface Parts {
  readonly request: DownloadRequest;
  readonly session: HouseSession;
  readonly active: ActiveDownloads;
  readonly events: EventQueue;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

async function performFile(parts: Parts): Promise<DownloadEvent> {
  const { request, session, active, events, nowMs, signal } = parts;
  const { path, target, overwrite, peer } = request;
  let total: number | undefined;
  let bytes = 0;
  const speed = new SpeedEstimator();
  using _ticker = tellProgress(parts, speed, () =>
    total === undefined ? undefined : { path, bytes, total, isTotalKnown: true },
  );
  const saved = await downloadFile({
    session,
    source: { peer, path },
    target,
    overwrite,
    active,
    // Its size is not known yet; a connection more for one file is nothing.
    isBulk: true,
    waitsForTarget: false,
    observer: {
      started: (size) => {
        total = size;
        events.push({ event: 'started', path, total: size, via: session.via });
      },
      checked: (position) => {
        bytes = position;
        // Bytes that were here already are no speed.
        speed.reset();
      },
      resumed: (position) => {
        bytes = position;
        speed.reset();
        events.push({ event: 'resumed', path, bytes });
      },
      restarted: (reason, position) => {
        bytes = position;
        events.push({ event: 'restarted', path, reason, bytes });
      },
      moved: (count) => {
        bytes += count;
      },
    },
    nowMs,
    signal,
  });
  return { event: 'done', path: target, ...saved, via: session.via };
}

async function performFolder(parts: Parts): Promise<DownloadEvent> {
  const { request, session, active, events, nowMs, signal } = parts;
  const { path, target, overwrite, peer } = request;
  let isStarted = false;
  const folder = new FolderDownload({
    session,
    peer,
    path,
    target,
    overwrite,
    active,
    observer: {
      started: () => {
        isStarted = true;
        // Nothing is added up yet: progress tells the total as it becomes known.
        events.push({ event: 'started', path, total: 0, via: session.via });
      },
      resumed: (file, bytes) => events.push({ event: 'resumed', path: file, bytes }),
      restarted: (file, reason, bytes) => events.push({ event: 'restarted', path: file, reason, bytes }),
      file: (file, saved) => events.push({ event: 'file', path: file, ...saved }),
      skipped: (skipped) => events.push({ event: 'skipped', ...skipped }),
      room: (roomSignal) => events.room(roomSignal),
    },
    nowMs,
    signal,
  });
  using _ticker = tellProgress(parts, new SpeedEstimator(), () =>
    isStarted ? { path, ...folder.progress } : undefined,
  );
  const saved = await folder.run();
  return { event: 'done', path: target, ...saved, via: session.via };
}

/** The house does not take a file for a folder or the reverse: says so in the user's terms. */
async function explained(error: unknown, { request, session, signal }: Parts): Promise<unknown> {
  if (!(error instanceof VisitError) || error.code !== 'bad_request') return error;
  const { path, recursive } = request;
  const look = (house: HouseClient): Promise<unknown> =>
    recursive ? house.head(path, { signal }) : house.list(path, { limit: 1, signal });
  try {
    await session.run(look, signal);
  } catch {
    return error;
  }
  const what = recursive ? 'a file: fetch it without -r' : 'a folder: fetch it with -r';
  return new DownloadError('bad_request', `"/${printable(path)}" is ${what}`, { cause: error });
}

/** Tells the progress at each tick, as soon as there is one to read. */
function tellProgress(
  { events, nowMs }: Parts,
  speed: SpeedEstimator,
  read: () => Reading | undefined,
): Disposable {
  const timer = setInterval(() => {
    const reading = read();
    if (reading === undefined) return;
    const { path, bytes, total, files, filesTotal, isTotalKnown } = reading;
    speed.add(nowMs(), bytes);
    events.push({
      event: 'progress',
      path,
      bytes,
      total,
      ...speed.speed(isTotalKnown ? total : 0),
      ...(files !== undefined && { files }),
      ...(filesTotal !== undefined && isTotalKnown && { filesTotal }),
    });
  }, progressIntervalMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function checkRequest({ path, recursive }: DownloadRequest): void {
  const refusal = pathRefusal(path);
  if (refusal !== undefined)
    throw new DownloadError(
      'bad_request',
      `"/${printable(path)}" is no path in a house: it holds ${refusal}`,
    );
  if (path === '' && !recursive)
    throw new DownloadError('bad_request', 'Name a file in the house, or take all of it as a folder');
}

function failed(error: unknown, log: Logger, signal: AbortSignal): DownloadEvent {
  if (signal.aborted)
    return {
      event: 'failed',
      error: 'The download was stopped. What came so far is kept: run the same again to go on from there',
      code: 'cancelled',
    };
  const code = codeOf(error);
  if (code === undefined) log.error({ err: error }, 'a download failed for a reason that nobody foresaw');
  const message = error instanceof Error ? error.message : String(error);
  return { event: 'failed', error: message, code: code ?? 'failed' };
}

function codeOf(error: unknown): FailureCode | undefined {
  const code = FailureCodeSchema.safeParse(errorCode(error));
  return code.success ? code.data : undefined;
}
