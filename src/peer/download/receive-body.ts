import type { BodySource } from '../visit/body-source.ts';
import { connectionVisitError, VisitError } from '../visit/visit-error.ts';
import { localFailure } from './download-error.ts';
import type { PartialWriter } from './partial-writer.ts';

/** No byte for this long, with room for more on our side, and the connection counts as lost. A house's disk may have to spin up. */
const silenceMsMax = 30_000;

export interface Receiving {
  readonly body: BodySource;
  readonly writer: PartialWriter;
  /** Address as in a URL, for errors. */
  readonly place: string;
  readonly onBytes: (bytes: number) => void;
  /** What was being written, for errors: `Cannot write /a/b`. */
  readonly action: string;
  readonly signal: AbortSignal;
  readonly silenceMs?: number;
}

/**
 * Moves a body into a writer, no faster than the disk takes it. Resolves when all of it was taken (not yet written),
 * rejects with a {@link VisitError} when the connection breaks or falls silent, a `DownloadError` when writing fails, the
 * signal's reason when that aborts. What was taken before stays taken.
 */
export function receiveBody(receiving: Receiving): Promise<void> {
  const { body, writer, place, onBytes, action, signal, silenceMs = silenceMsMax } = receiving;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let isOver = false;
  let isWaitingForDisk = false;
  // Looked at now and then, not moved by each chunk: a body can be a million of them.
  let received = 0;
  let receivedBefore = -1;
  const silence = setInterval(() => {
    if (received === receivedBefore && !isWaitingForDisk) {
      const message = `The house at ${place} fell silent for ${silenceMs / 1000} s`;
      fail(new VisitError('unreachable', message, { passing: 'connection' }));
    }
    receivedBefore = received;
  }, silenceMs);

  const over = (): boolean => {
    if (isOver) return false;
    isOver = true;
    clearInterval(silence);
    signal.removeEventListener('abort', onAbort);
    return true;
  };
  const fail = (error: unknown): void => {
    if (!over()) return;
    body.destroy();
    reject(error);
  };
  const onAbort = (): void => fail(signal.reason);
  const waitForDisk = (): void => {
    isWaitingForDisk = true;
    body.pause();
    writer.room().then(
      () => {
        isWaitingForDisk = false;
        receivedBefore = -1;
        if (!isOver) body.resume();
      },
      (error: unknown) => fail(localFailure(action, error)),
    );
  };

  if (signal.aborted) {
    onAbort();
    return promise;
  }
  signal.addEventListener('abort', onAbort, { once: true });
  body.read({
    bytes: (chunk) => {
      if (isOver) return;
      received += chunk.length;
      const hasRoom = writer.write(chunk);
      onBytes(chunk.length);
      if (!hasRoom && !isWaitingForDisk) waitForDisk();
    },
    end: () => {
      if (over()) resolve();
    },
    fail: (error) =>
      fail(
        error === undefined
          ? new VisitError('unreachable', `The house at ${place} cut the connection`, {
              passing: 'connection',
            })
          : connectionVisitError(place, error),
      ),
  });
  return promise;
}
