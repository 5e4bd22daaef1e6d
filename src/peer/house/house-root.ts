import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../../util/error-code.ts';
import type { HeldPath, PathHolder } from '../../util/platform/handle-path.ts';

/**
 * Which folder was shared, so that another one in its place is noticed: above all the empty folder that is left when
 * a disk is not mounted. Keep it with the settings and hand it in at the next start.
 */
export interface RootMarker {
  /** Decimal, of `stat`. */
  readonly dev: string;
  readonly ino: string;
  /** Whether the folder lies on another device than the folder above it. */
  readonly isMountPoint: boolean;
}

export type RootLook =
  | { readonly kind: 'there'; readonly root: HeldPath; readonly marker: RootMarker }
  | { readonly kind: 'away'; readonly reason: string };

/** A disk that spins up needs seconds; a network file system whose server is gone never answers. */
const rootDeadlineMs = 10_000;
/** Each unanswered call occupies one of Node's four threads for files: never all of them for one dead disk. */
const unansweredMax = 2;

/** The shared folder. It is opened anew for each request, so that an idle house keeps no disk busy. */
export class HouseRoot {
  readonly #path: string;
  readonly #hold: PathHolder;
  #marker: RootMarker | undefined;
  /** Device numbers are given anew when the system starts. */
  #isMarkerOfEarlierRun: boolean;
  #acceptsReplacement = false;
  #unansweredCount = 0;

  constructor(path: string, hold: PathHolder, marker: RootMarker | undefined) {
    this.#path = path;
    this.#hold = hold;
    this.#marker = marker;
    this.#isMarkerOfEarlierRun = marker !== undefined;
  }

  /** Takes the folder that is found next as the shared one: the owner has said so. Not the empty place of a disk, though. */
  acceptReplacement(): void {
    this.#acceptsReplacement = true;
  }

  /** Opens the folder, or says in words for its owner why it is away. The caller disposes `root`. */
  async open(): Promise<RootLook> {
    if (this.#unansweredCount >= unansweredMax) return away(`its disk does not answer: ${this.#path}`);
    let root: HeldPath | undefined;
    try {
      root = await this.#holdInTime();
      if (root === undefined) return away(`its disk does not answer: ${this.#path}`);
      if (!root.stats.isDirectory()) return await this.#close(root, `not a folder: ${this.#path}`);
      const found = await markerOf(root);
      // The first folder that is ever found is the one that was meant.
      const marker = this.#marker ?? found;
      const isUnmounted = marker.isMountPoint && !found.isMountPoint;
      if (isUnmounted) return await this.#close(root, `its disk is not mounted: ${this.#path}`);
      const isSame = isSameFolder(marker, found, this.#isMarkerOfEarlierRun);
      if (!isSame && !this.#acceptsReplacement) {
        return await this.#close(
          root,
          `another folder is in its place: ${this.#path} (switch sharing off and on to share that one)`,
        );
      }
      this.#marker = found;
      this.#isMarkerOfEarlierRun = false;
      this.#acceptsReplacement = false;
      return { kind: 'there', root, marker: found };
    } catch (error) {
      await root?.[Symbol.asyncDispose]();
      return away(reasonOf(error, this.#path));
    }
  }

  async #close(root: HeldPath, reason: string): Promise<RootLook> {
    await root[Symbol.asyncDispose]();
    return away(reason);
  }

  /** A call to the file system cannot be called back; what comes too late is closed, and counted until then. */
  async #holdInTime(): Promise<HeldPath | undefined> {
    const { promise: deadline, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(resolve, rootDeadlineMs, undefined);
    // The dot makes an automounter mount what is not mounted yet.
    const held = this.#hold(`${this.#path}/.`);
    try {
      const first = await Promise.race([held, deadline]);
      if (first === undefined) this.#closeWhenItComes(held);
      return first;
    } finally {
      clearTimeout(timer);
    }
  }

  #closeWhenItComes(held: Promise<HeldPath>): void {
    this.#unansweredCount += 1;
    const answered = (): void => {
      this.#unansweredCount -= 1;
    };
    void held.then((late) => late[Symbol.asyncDispose]()).then(answered, answered);
  }
}

async function markerOf(root: HeldPath): Promise<RootMarker> {
  const above = await stat(root.handlePath === root.place ? dirname(root.place) : `${root.handlePath}/..`, {
    bigint: true,
  });
  return {
    dev: String(root.stats.dev),
    ino: String(root.stats.ino),
    isMountPoint: above.dev !== root.stats.dev,
  };
}

/**
 * The same inode on the same device. The device does not count where its number may have changed: at the top of a
 * disk, which can be plugged in again, and since an earlier run, as the system may have started anew.
 */
function isSameFolder(one: RootMarker, other: RootMarker, isOfEarlierRun: boolean): boolean {
  if (one.ino !== other.ino || one.isMountPoint !== other.isMountPoint) return false;
  return one.dev === other.dev || one.isMountPoint || isOfEarlierRun;
}

function away(reason: string): RootLook {
  return { kind: 'away', reason };
}

function reasonOf(error: unknown, path: string): string {
  switch (errorCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return `it does not exist: ${path}`;
    case 'EACCES':
    case 'EPERM':
      return `it may not be opened by this user: ${path}`;
    default:
      return `${path}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
