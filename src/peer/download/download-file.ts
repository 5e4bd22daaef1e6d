import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { linkAbort } from '../../util/deadline.ts';
import { printable } from '../../util/printable.ts';
import { digestBlockBytes, type HouseDigest } from '../../wire/house-http.ts';
import type { BodySource } from '../visit/body-source.ts';
import type { FilePart } from '../visit/file-answer.ts';
import type { HouseClient } from '../visit/house-client.ts';
import type { ActiveDownloads } from './active-downloads.ts';
import {
  type AskDigests,
  checkLeftOver,
  type GoodPrefix,
  provableBytes,
  requireVersion,
} from './check-left-over.ts';
import { DownloadError, FileChangedError, localFailure } from './download-error.ts';
import type { LocalBlock } from './file-blocks.ts';
import type { HouseSession } from './house-session.ts';
import type { FileSource, FileVersion } from './journal.ts';
import { bothOrAbort } from './or-aborted.ts';
import { Partial } from './partial.ts';
import { PartialWriter } from './partial-writer.ts';
import { receiveBody } from './receive-body.ts';
import { repair } from './repair.ts';
import { claimKeys, inspectTarget, requireSpace } from './target.ts';

/** Hears how a file's download goes; it must not throw. Positions are bytes from the file's beginning that are here and good. */
export interface FileObserver {
  /** The house has the file and will send it; `size` may change when it restarts. */
  started(size: number): void;
  /** So far what an earlier try left is good; nothing moves over the network. */
  checked(position: number): void;
  resumed(position: number): void;
  restarted(reason: string, position: number): void;
  /** `bytes` more are here than before. */
  moved(bytes: number): void;
}

export interface FileJob {
  readonly session: HouseSession;
  readonly source: FileSource;
  /** Absolute path of the file to write. */
  readonly target: string;
  readonly overwrite: boolean;
  readonly active: ActiveDownloads;
  /** Whether the file is so large that a connection for its bytes alone pays. */
  readonly isBulk: boolean;
  /** Whether to wait when another download has the target, instead of failing. */
  readonly waitsForTarget: boolean;
  readonly observer: FileObserver;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

export interface SavedFile {
  readonly bytes: number;
  /** Of what is on this disk, hex; the house says the same. */
  readonly sha256: string;
}

/** A file that changes more often while it is fetched is being written to, and no copy of it is worth having. */
const changesMax = 3;

/**
 * Fetches one file: to `target.partial` first, resumed after whatever interrupted it, verified by SHA-256 against the
 * house's digest, then renamed. What was fetched stays for the next try when this one fails.
 *
 * @throws {DownloadError | VisitError}, what `connect` threw, or the signal's reason.
 */
export async function downloadFile(job: FileJob): Promise<SavedFile> {
  const keys = claimKeys(await inspectTarget(job.target, job.overwrite));
  const claim = job.waitsForTarget
    ? await job.active.claimWhenFree(keys, job.signal)
    : job.active.claim(keys);
  if (claim === undefined)
    throw new DownloadError(
      'failed',
      `Cannot write ${printable(job.target)}: another download to it is under way`,
    );
  using _claim = claim;
  // Again: who held the claim may have put a file there.
  await inspectTarget(job.target, job.overwrite);
  await using partial = await Partial.open(job.target, job.source, job.nowMs());
  await using download = new FileDownload(job, partial);
  const saved = await download.run();
  await partial.finish(job.overwrite);
  job.session.completed();
  return saved;
}

/** One version of the file on its way to the disk. */
interface Transfer {
  readonly version: FileVersion;
  readonly file: FileHandle;
  readonly writer: PartialWriter;
}

class FileDownload implements AsyncDisposable {
  readonly #job: FileJob;
  readonly #partial: Partial;
  #transfer: Transfer | undefined;
  #isStarted = false;
  /** Why bytes that were there are not used, to be told once the size is known. */
  #restartReason: string | undefined;

  constructor(job: FileJob, partial: Partial) {
    this.#job = job;
    this.#partial = partial;
    if (partial.replaces !== undefined)
      this.#restartReason = 'an unfinished download of another file lay there and is replaced';
  }

  async run(): Promise<SavedFile> {
    for (let changes = 0; ; changes += 1) {
      try {
        if (changes === 0) await this.#resume();
        return await this.#fetch();
      } catch (error) {
        if (!(error instanceof FileChangedError)) throw error;
        if (changes === changesMax)
          throw new DownloadError(
            'failed',
            `"/${printable(this.#job.source.path)}" keeps changing at the other side: ` +
              `${changesMax + 1} versions were begun. Try again when it is finished there`,
          );
        await this.#startAgain(error.message);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transfer?.writer.settle();
  }

  /** Goes on where an earlier try ended, as far as the house's digests prove its bytes. */
  async #resume(): Promise<void> {
    const { left } = this.#partial;
    if (left === undefined || (provableBytes(left) === 0 && left.version.size > 0)) return;
    const { observer, signal } = this.#job;
    const { version } = left;
    const file = await this.#partial.begin(version);
    const ask: AskDigests = async (from, count, askSignal) => {
      const digest = await this.#ask(from, count, askSignal);
      this.#tellStarted(digest.size);
      return digest;
    };
    const onChecked = (position: number): void => observer.checked(position);
    const good: GoodPrefix = await checkLeftOver(file, left, ask, onChecked, signal);
    await this.#local(() => file.truncate(good.position));
    this.#transfer = { version, file, writer: new PartialWriter(file, version.size, good) };
    if (good.position < provableBytes(left))
      observer.restarted('what an earlier try left is damaged on this disk', good.position);
    else observer.resumed(good.position);
  }

  async #fetch(): Promise<SavedFile> {
    const job = this.#job;
    using scope = linkAbort(job.signal);
    const [transfer, digest] = await bothOrAbort(
      scope,
      this.#fetchRest(scope.signal),
      this.#wholeDigest(scope.signal),
    );
    const { version, file, writer } = transfer;
    requireVersion(digest, version, 'while it was fetched');
    const bytes = version.size;
    const expected = digest.sha256 ?? '';
    if (writer.sha256() === expected) return { bytes, sha256: expected };
    const sha256 = await repair({
      path: job.source.path,
      file,
      version,
      sha256: expected,
      ask: (from, count, signal) => this.#ask(from, count, signal),
      refetch: (block) => this.#refetch(transfer, block),
      onBadBlocks: (count) =>
        job.observer.restarted(
          `${count} parts that arrived are not what the house has and are fetched again`,
          Math.max(0, bytes - count * digestBlockBytes),
        ),
      signal: job.signal,
    });
    return { bytes, sha256 };
  }

  /** Everything that is not here yet, over as many connections as it takes; on the disk when it resolves. */
  async #fetchRest(signal: AbortSignal): Promise<Transfer> {
    const { session, source, observer, isBulk } = this.#job;
    const transfer = await session.run(async (house, failed) => {
      const begun = this.#transfer;
      if (begun !== undefined && begun.writer.position === begun.version.size) return begun;
      const from = begun?.writer.position ?? 0;
      const etag = begun?.version.etag;
      const { body, ...part } = await house.openDownload(source.path, {
        from,
        isBulk,
        signal,
        ...(etag !== undefined && { etag }),
      });
      try {
        if (begun !== undefined) requireContinuation(part, begun.version, from);
        if (begun !== undefined && failed !== undefined) observer.restarted(failed.message, from);
        const transfer = begun ?? (await this.#begin(part));
        await this.#receive(house, body, transfer.writer, signal);
        return transfer;
      } catch (error) {
        body.destroy();
        throw error;
      }
    }, signal);
    await this.#local(() => transfer.writer.flush());
    return transfer;
  }

  async #begin(version: FileVersion): Promise<Transfer> {
    const { target } = this.#job;
    if (!this.#isStarted) await requireSpace(target, version.size - this.#partial.heldBytes);
    const { size, etag, modified } = version;
    const file = await this.#partial.begin({ size, etag, modified });
    await this.#local(() => file.truncate(0));
    const transfer = { version: { size, etag, modified }, file, writer: new PartialWriter(file, size) };
    this.#transfer = transfer;
    this.#tellStarted(size);
    return transfer;
  }

  async #receive(
    house: HouseClient,
    body: BodySource,
    writer: PartialWriter,
    signal: AbortSignal,
  ): Promise<void> {
    const { session, observer, target } = this.#job;
    await receiveBody({
      body,
      writer,
      place: house.place,
      action: `Cannot write ${printable(target)}`,
      onBytes: (bytes) => {
        session.progressed(bytes);
        observer.moved(bytes);
      },
      signal,
    });
  }

  /** Asked for at once, so that the house reads the file while it sends it, and not once more afterwards. */
  async #wholeDigest(signal: AbortSignal): Promise<HouseDigest> {
    const { session, source } = this.#job;
    const digest = await session.run(
      (house) => house.digest(source.path, { blocks: 'none', signal }),
      signal,
    );
    // Now rather than after the last byte, when there are many.
    if (this.#transfer !== undefined) requireVersion(digest, this.#transfer.version, 'while it was fetched');
    return digest;
  }

  #ask(from: number, count: number, signal: AbortSignal): Promise<HouseDigest> {
    const { session, source } = this.#job;
    return session.run((house) => house.digest(source.path, { blocks: { from, count }, signal }), signal);
  }

  async #refetch({ version, file }: Transfer, { start, end }: LocalBlock): Promise<void> {
    const { session, source, signal } = this.#job;
    await session.run(async (house) => {
      const { body, ...part } = await house.openDownload(source.path, {
        from: start,
        to: end - 1,
        etag: version.etag,
        signal,
      });
      const writer = new PartialWriter(file, end, { position: start, hash: createHash('sha256') });
      try {
        requireContinuation(part, version, start);
        await this.#receive(house, body, writer, signal);
        await this.#local(() => writer.flush());
      } finally {
        body.destroy();
        await writer.settle();
      }
    });
  }

  async #startAgain(reason: string): Promise<void> {
    const { observer } = this.#job;
    const transfer = this.#transfer;
    this.#transfer = undefined;
    await transfer?.writer.settle();
    if (this.#isStarted) observer.restarted(reason, 0);
    else this.#restartReason = reason;
  }

  #tellStarted(size: number): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const { observer } = this.#job;
    observer.started(size);
    if (this.#restartReason !== undefined) observer.restarted(this.#restartReason, 0);
    this.#restartReason = undefined;
  }

  async #local<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw localFailure(`Cannot write ${printable(this.#job.target)}`, error);
    }
  }
}

/** The bytes that come must be of the version and from the place that was asked for. */
function requireContinuation(part: FilePart, version: FileVersion, from: number): void {
  requireVersion(part, version, 'while it was fetched');
  if (part.from !== from)
    throw new FileChangedError(
      'the house sends the file from its beginning and does not go on in the middle',
    );
}
