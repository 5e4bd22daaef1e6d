import { linkAbort } from '../../util/deadline.ts';
import { errorCode } from '../../util/error-code.ts';
import { printable } from '../../util/printable.ts';
import type { HouseEntry, HouseListing } from '../../wire/house-http.ts';
import { type FailureCode, FailureCodeSchema, type SkipCode } from '../../wire/local-api.ts';
import { VisitError } from '../visit/visit-error.ts';
import type { ActiveDownloads } from './active-downloads.ts';
import { DownloadError, isDiskFailure, isUnfitFailure } from './download-error.ts';
import { downloadFile, type FileObserver, type SavedFile } from './download-file.ts';
import { type FolderProgress, FolderTally, type SavedFolder } from './folder-tally.ts';
import { FolderTarget } from './folder-target.ts';
import type { HouseSession } from './house-session.ts';
import { existsError } from './target.ts';
import { type FolderPage, type HouseFile, walkHouse } from './walk-house.ts';

/** Hears how a folder's download goes; it must not throw. Paths are those in the house. */
interface FolderObserver {
  started(): void;
  resumed(path: string, position: number): void;
  restarted(path: string, reason: string, position: number): void;
  file(path: string, saved: SavedFile): void;
  skipped(skipped: Skipped): void;
  /** Resolves when there is room for more of these. */
  room(signal: AbortSignal): Promise<void>;
}

/** What is not fetched, and why. */
interface Skipped {
  readonly path: string;
  readonly code: SkipCode;
  readonly reason: string;
  /** How many in the folder `path`, when they have no names. */
  readonly count?: number;
}

export interface FolderJob {
  readonly session: HouseSession;
  readonly peer: string;
  /** In the house; empty for all of it. */
  readonly path: string;
  /** Absolute path of the folder to write into; it is made when the one above it is there. */
  readonly target: string;
  readonly overwrite: boolean;
  readonly active: ActiveDownloads;
  readonly observer: FolderObserver;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

/** Small files wait for round trips more than for bytes: so many are under way together. */
export const filesAtOnceMax = 4;
/** A file from this size on has the line and the disk for itself. */
const largeFileBytes = 8 * 1024 * 1024;

/**
 * Fetches a folder of a house with all that is in it. Memory does not grow with the folder: files are fetched while
 * it is listed, and a second walk ahead of the first adds up the total.
 *
 * A file that cannot be had is left out and named; the others come all the same, and at the end it is said what is
 * missing.
 */
export class FolderDownload {
  readonly #job: FolderJob;
  readonly #running = new Set<Promise<void>>();
  readonly #tally = new FolderTally();
  #placesTaken = 0;

  constructor(job: FolderJob) {
    this.#job = job;
  }

  get progress(): FolderProgress {
    return this.#tally.progress;
  }

  /**
   * @throws {DownloadError} when files are missing in the end that should be there, with the first one's code; and at
   * once what makes it pointless to go on: the disk, the connection, a house that does not let us in any more.
   */
  async run(): Promise<SavedFolder> {
    const job = this.#job;
    const target = await FolderTarget.open(job.target);
    using claim = job.active.claim([`folder ${target.path}`]);
    if (claim === undefined)
      throw new DownloadError(
        'failed',
        `Cannot write into ${printable(target.path)}: another download to it is under way`,
      );
    using scope = linkAbort(job.signal);
    let fatal: { readonly error: unknown } | undefined;
    const stop = (error: unknown): void => {
      fatal ??= { error };
      scope.abort(error);
    };
    // Its failure is no failure of the download: the total stays unknown.
    const counted = this.#count(scope.signal).catch(() => {});
    try {
      for await (const file of this.#files(target, scope.signal))
        await this.#begin(file, target, stop, scope.signal);
    } catch (error) {
      stop(error);
    }
    await Promise.all(this.#running);
    scope.abort(new Error('the folder is fetched'));
    await counted;
    if (fatal !== undefined) throw fatal.error;
    const { failure, result } = this.#tally;
    if (failure !== undefined) throw failure;
    return result;
  }

  async *#files(target: FolderTarget, signal: AbortSignal): AsyncGenerator<HouseFile> {
    const { path, observer } = this.#job;
    let isFirstPage = true;
    yield* walkHouse(path, {
      list: async (folder, page) => {
        const listing = await this.#list(folder, page, signal);
        if (isFirstPage) observer.started();
        isFirstPage = false;
        return listing;
      },
      enter: (folder, entry) => this.#enter(folder, entry, target),
      onSkipped: (skipped, entry, reason) => this.#skip(skipped, entry, reason),
      onOmitted: (folder, count) => this.#omit(folder, count),
      onUnlisted: (folder, error) => {
        if (signal.aborted || severityOf(error) === 'fatal') throw error;
        this.#fail(folder, error);
      },
    });
  }

  /** Makes a folder; what stands in the way of this one does not end those beside it. */
  async #enter(folder: string, entry: HouseEntry, target: FolderTarget): Promise<boolean> {
    const names = this.#namesBelow(folder);
    try {
      const reason = target.refusal(names) ?? (await target.makeFolder(names));
      if (reason !== undefined) this.#skip(folder, entry, reason);
      return reason === undefined;
    } catch (error) {
      const severity = severityOf(error);
      if (severity === 'fatal') throw error;
      if (severity === 'unfit') this.#skip(folder, entry, messageOf(error));
      else this.#fail(folder, error);
      return false;
    }
  }

  /** Waits for a place and starts `file` in it. */
  async #begin(
    file: HouseFile,
    target: FolderTarget,
    stop: (error: unknown) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#job.observer.room(signal);
    const reason = target.refusal(this.#namesBelow(file.path)) ?? programRefusal(file.entry);
    if (reason !== undefined) {
      this.#skip(file.path, file.entry, reason);
      return;
    }
    const places = file.entry.size >= largeFileBytes ? filesAtOnceMax : 1;
    while (this.#placesTaken + places > filesAtOnceMax) await Promise.race(this.#running);
    signal.throwIfAborted();
    this.#placesTaken += places;
    const task: Promise<void> = this.#fetch(file, target, signal)
      .catch(stop)
      .finally(() => {
        this.#placesTaken -= places;
        this.#running.delete(task);
      });
    this.#running.add(task);
  }

  /** Rejects only when the whole download has to stop. */
  async #fetch(file: HouseFile, target: FolderTarget, signal: AbortSignal): Promise<void> {
    const { path, entry } = file;
    try {
      if (await this.#isHereAlready(file, target, signal)) {
        this.#keep(path, entry);
        return;
      }
      const { session, peer, overwrite, active, nowMs, observer } = this.#job;
      const saved = await downloadFile({
        session,
        source: { peer, path },
        target: target.pathOf(this.#namesBelow(path)),
        overwrite,
        active,
        isBulk: entry.size >= largeFileBytes,
        waitsForTarget: true,
        observer: this.#fileObserver(path),
        nowMs,
        signal,
      });
      this.#tally.ended(path);
      this.#tally.saved(saved.bytes);
      observer.file(path, saved);
    } catch (error) {
      this.#tally.ended(path);
      if (signal.aborted) throw signal.reason;
      await this.#leaveOut(file, error, signal);
    }
  }

  async #leaveOut({ path, entry }: HouseFile, error: unknown, signal: AbortSignal): Promise<void> {
    switch (severityOf(error)) {
      case 'fatal':
        throw error;
      case 'gone':
        this.#skip(path, entry, 'it is gone since the folder was listed');
        return;
      case 'unfit':
        this.#skip(path, entry, messageOf(error));
        return;
      case 'refused':
        // This file alone, or us altogether? Then the health check is refused as well, and ends the download.
        await this.#job.session.run((house) => house.health({ signal }), signal);
        this.#skip(path, entry, messageOf(error));
        return;
      case 'failure':
        this.#fail(path, error, entry);
    }
  }

  /** @throws {DownloadError} `exists` when something else is there that may not be replaced. */
  async #isHereAlready(
    { path, entry }: HouseFile,
    target: FolderTarget,
    signal: AbortSignal,
  ): Promise<boolean> {
    const names = this.#namesBelow(path);
    const standing = await target.standing(names);
    if (standing.kind === 'nothing') return false;
    if (standing.kind === 'file' && standing.size === entry.size) {
      const [digest, sha256] = await Promise.all([
        this.#job.session.run((house) => house.digest(path, { blocks: 'none', signal }), signal),
        target.sha256(names, signal),
      ]);
      if (digest.size === standing.size && digest.sha256 === sha256) return true;
    }
    if (!this.#job.overwrite) throw existsError(target.pathOf(names));
    return false;
  }

  /** Adds up what there is, as far as it can be listed. */
  async #count(signal: AbortSignal): Promise<void> {
    const files = walkHouse(this.#job.path, {
      list: (path, page) => this.#list(path, page, signal),
      enter: () => Promise.resolve(true),
      onSkipped: () => {},
      onOmitted: () => {},
      onUnlisted: () => signal.throwIfAborted(),
    });
    for await (const { entry } of files) this.#tally.saw(entry);
    this.#tally.sawEverything();
  }

  #list(path: string, { limit, after }: FolderPage, signal: AbortSignal): Promise<HouseListing> {
    const page = { limit, signal, ...(after !== undefined && { after }) };
    return this.#job.session.run((house) => house.list(path, page), signal);
  }

  #fileObserver(path: string): FileObserver {
    const { observer } = this.#job;
    const tally = this.#tally;
    return {
      started: () => tally.reached(path, 0),
      checked: (position) => tally.reached(path, position),
      moved: (bytes) => tally.moved(path, bytes),
      resumed: (position) => {
        tally.reached(path, position);
        observer.resumed(path, position);
      },
      restarted: (reason, position) => {
        tally.reached(path, position);
        observer.restarted(path, reason, position);
      },
    };
  }

  #skip(path: string, entry: HouseEntry, reason: string): void {
    this.#tally.leftOut(entry);
    this.#job.observer.skipped({ path, code: 'left_out', reason });
  }

  #omit(folder: string, count: number): void {
    this.#tally.leftOutUnnamed(count);
    const reason = count === 1 ? 'its name or kind does not travel' : 'their names or kinds do not travel';
    this.#job.observer.skipped({ path: folder, code: 'omitted', reason, count });
  }

  #keep(path: string, entry: HouseEntry): void {
    this.#tally.foundHere(entry);
    const reason = 'it is here already, the same byte for byte';
    this.#job.observer.skipped({ path, code: 'here_already', reason });
  }

  #fail(path: string, error: unknown, entry?: HouseEntry): void {
    const message = messageOf(error);
    this.#tally.failed(entry, failureCodeOf(error), message);
    this.#job.observer.skipped({ path, code: 'missing', reason: message });
  }

  /** The names of a path in the house that lie below the folder that is fetched. */
  #namesBelow(path: string): string[] {
    const { path: root } = this.#job;
    return (root === '' ? path : path.slice(root.length + 1)).split('/');
  }
}

function programRefusal(entry: HouseEntry): string | undefined {
  return entry.isProgram === true ? 'it is a program, which this house does not hand out' : undefined;
}

/**
 * What a failure with one file means for the others: `fatal` for all; `gone`, `unfit` and `refused` are no fault and
 * the file is left out; `failure` leaves it out and is said at the end.
 */
function severityOf(error: unknown): 'fatal' | 'gone' | 'unfit' | 'refused' | 'failure' {
  if (error instanceof VisitError) {
    if (error.code === 'not_found') return 'gone';
    if (error.code === 'refused') return 'refused';
    return error.code === 'failed' || error.code === 'bad_request' ? 'failure' : 'fatal';
  }
  if (error instanceof DownloadError && !isDiskFailure(error))
    return isUnfitFailure(error) ? 'unfit' : 'failure';
  // What discovery says, or something that nobody foresaw.
  return 'fatal';
}

function failureCodeOf(error: unknown): FailureCode {
  const code = FailureCodeSchema.safeParse(errorCode(error));
  return code.success ? code.data : 'failed';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
