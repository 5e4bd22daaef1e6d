import type { Logger } from 'pino';
import { errorCode } from '../../util/error-code.ts';
import { type HeldPath, type PathHolder, segmentsWithin } from '../../util/platform/handle-path.ts';

import { HouseRoot, type RootMarker } from './house-root.ts';
import { IgnoreFile } from './ignore-file.ts';
import type { HouseView } from './open-inside.ts';
import { type Visibility, visibilityOf } from './visibility.ts';

export interface HouseSettings {
  /** The folder that is shared; absolute. */
  readonly root: string;
  /** Hand out programs (program-names.ts) too. */
  readonly allowPrograms: boolean;
  /** Show hidden names (hidden-names.ts) and what the ignore file leaves out. */
  readonly showHidden: boolean;
  /** From an earlier run, so that a disk that is not mounted at the start is noticed as well. */
  readonly marker?: RootMarker;
  /** Absolute paths that are never served, not even with `showHidden`: our own data folder. */
  readonly neverServed?: readonly string[];
}

export type FolderState =
  | { readonly kind: 'shared'; readonly marker: RootMarker }
  /** `reason` is for the owner: it holds paths. */
  | { readonly kind: 'away'; readonly reason: string };

/** The folder with its rules: opened for each request, with a memory of how it was found last. */
export class SharedFolder {
  readonly #settings: HouseSettings;
  readonly #hold: PathHolder;
  readonly #log: Logger;
  readonly #root: HouseRoot;
  readonly #ignoreFile = new IgnoreFile();
  #neverServed: { readonly place: string; readonly segments: readonly string[][] } | undefined;
  #state: FolderState = { kind: 'away', reason: 'not looked at yet' };
  /** Looks are numbered, so that a slow one does not overwrite what a later one has found. */
  #lastLook = 0;
  #stateOfLook = 0;

  constructor(settings: HouseSettings, hold: PathHolder, log: Logger) {
    this.#settings = settings;
    this.#hold = hold;
    this.#log = log;
    this.#root = new HouseRoot(settings.root, hold, settings.marker);
  }

  /** As it was found last. */
  get state(): FolderState {
    return this.#state;
  }

  /** The owner shares what is there now, even if it is not the folder of before. */
  acceptReplacement(): void {
    this.#root.acceptReplacement();
  }

  /** The folder as a request sees it, or undefined while it is away. The caller disposes it. */
  async open(): Promise<(HouseView & AsyncDisposable) | undefined> {
    this.#lastLook += 1;
    const number = this.#lastLook;
    const look = await this.#root.open();
    if (look.kind === 'away') return this.#enter(number, look);
    const { root, marker } = look;
    try {
      const visibility = await this.#visibility(root);
      this.#enter(number, { kind: 'shared', marker });
      const dispose = () => root[Symbol.asyncDispose]();
      return {
        root: { segments: [], realSegments: [], held: root, isFolder: true, [Symbol.asyncDispose]: dispose },
        hold: this.#hold,
        visibility,
        allowPrograms: this.#settings.allowPrograms,
        [Symbol.asyncDispose]: dispose,
      };
    } catch (error) {
      await root[Symbol.asyncDispose]();
      const reason = error instanceof Error ? error.message : String(error);
      return this.#enter(number, { kind: 'away', reason });
    }
  }

  async #visibility(root: HeldPath): Promise<Visibility> {
    const { showHidden } = this.#settings;
    return visibilityOf({
      showHidden,
      ignorePatterns: showHidden ? [] : await this.#ignoreFile.patterns(this.#hold, root),
      neverServed: await this.#findNeverServed(root),
    });
  }

  /** Where in the house the places lie that are never served; looked up again only when the house has moved or one was missing. */
  async #findNeverServed(root: HeldPath): Promise<readonly string[][]> {
    if (this.#neverServed?.place === root.place) return this.#neverServed.segments;
    const segments: string[][] = [];
    let isComplete = true;
    for (const path of this.#settings.neverServed ?? []) {
      try {
        await using held = await this.#hold(path);
        if (segmentsWithin(held, root) !== undefined)
          throw new Error(`it lies in ${path}, which is never shared`);
        const inside = segmentsWithin(root, held);
        if (inside !== undefined) segments.push(inside);
      } catch (error) {
        if (errorCode(error) !== 'ENOENT') throw error;
        isComplete = false;
      }
    }
    this.#neverServed = isComplete ? { place: root.place, segments } : undefined;
    return segments;
  }

  #enter(number: number, state: FolderState): undefined {
    if (number < this.#stateOfLook) return;
    this.#stateOfLook = number;
    const before = this.#state;
    this.#state = state;
    if (state.kind === 'away' && (before.kind === 'shared' || before.reason !== state.reason)) {
      this.#log.warn({ reason: state.reason }, 'shared folder is away');
    } else if (state.kind === 'shared' && before.kind === 'away') {
      this.#log.info({ folder: this.#settings.root }, 'shared folder is there');
    }
  }
}
