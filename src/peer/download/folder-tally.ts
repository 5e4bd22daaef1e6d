import type { HouseEntry } from '../../wire/house-http.ts';
import type { FailureCode } from '../../wire/local-api.ts';
import { DownloadError } from './download-error.ts';

export interface SavedFolder {
  /** Written now. */
  readonly files: number;
  readonly bytes: number;
  readonly hereAlready: number;
  /** Files, and folders with all in them, that are not here. */
  readonly leftOut: number;
}

export interface FolderProgress {
  readonly bytes: number;
  /** Of what has been seen so far. */
  readonly total: number;
  /** Complete: written, or here already. */
  readonly files: number;
  /** Of what has been seen so far. */
  readonly filesTotal: number;
  /** Whether everything has been seen. */
  readonly isTotalKnown: boolean;
}

/** What a folder's download has come to: what is done, under way, seen ahead, and not fetched. */
export class FolderTally {
  readonly #positionByPath = new Map<string, number>();
  #seen = { files: 0, bytes: 0 };
  /** Of what was seen and will not be fetched. */
  #notFetched = { files: 0, bytes: 0 };
  #saved = { files: 0, bytes: 0 };
  #isTotalKnown = false;
  #hereAlready = 0;
  #leftOut = 0;
  #missing = 0;
  #firstFailure: { readonly code: FailureCode; readonly message: string } | undefined;

  get progress(): FolderProgress {
    let { bytes } = this.#saved;
    for (const position of this.#positionByPath.values()) bytes += position;
    const total = Math.max(bytes, this.#seen.bytes - this.#notFetched.bytes);
    const files = this.#saved.files + this.#hereAlready;
    const filesTotal = Math.max(files, this.#seen.files - this.#notFetched.files);
    return { bytes, total, files, filesTotal, isTotalKnown: this.#isTotalKnown };
  }

  get result(): SavedFolder {
    return { ...this.#saved, hereAlready: this.#hereAlready, leftOut: this.#leftOut };
  }

  /** What to say at the end when something is missing that should have come. */
  get failure(): DownloadError | undefined {
    if (this.#firstFailure === undefined) return undefined;
    const { code, message } = this.#firstFailure;
    const here = this.#hereAlready === 0 ? '' : `, ${this.#hereAlready} were here already`;
    const leftOut = this.#leftOut === 0 ? '' : `, ${this.#leftOut} were left out`;
    const what = this.#missing === 1 ? 'One is missing' : `${this.#missing} are missing, the first because`;
    return new DownloadError(
      code,
      `${this.#saved.files} files were fetched${here}${leftOut}. ${what}: ${message}`,
    );
  }

  saw({ size }: HouseEntry): void {
    this.#seen.files += 1;
    this.#seen.bytes += size;
  }

  sawEverything(): void {
    this.#isTotalKnown = true;
  }

  /** A file that is under way has so many of its bytes. */
  reached(path: string, position: number): void {
    this.#positionByPath.set(path, position);
  }

  moved(path: string, bytes: number): void {
    this.#positionByPath.set(path, (this.#positionByPath.get(path) ?? 0) + bytes);
  }

  /** A file is no longer under way. */
  ended(path: string): void {
    this.#positionByPath.delete(path);
  }

  saved(bytes: number): void {
    this.#saved.files += 1;
    this.#saved.bytes += bytes;
  }

  /** Its bytes are not fetched: speed and time are those of what is fetched. It counts as a file that is complete. */
  foundHere({ size }: HouseEntry): void {
    this.#notFetched.bytes += size;
    this.#hereAlready += 1;
  }

  leftOut({ type, size }: HouseEntry): void {
    this.#notFetched.bytes += size;
    if (type === 'file') this.#notFetched.files += 1;
    this.#leftOut += 1;
  }

  /** So many in a folder have no names: no listing showed them. */
  leftOutUnnamed(count: number): void {
    this.#leftOut += count;
  }

  /** @param entry of a file; a folder that cannot be listed was not seen either. */
  failed(entry: HouseEntry | undefined, code: FailureCode, message: string): void {
    if (entry !== undefined) {
      this.#notFetched.bytes += entry.size;
      this.#notFetched.files += 1;
    }
    this.#missing += 1;
    this.#firstFailure ??= { code, message };
  }
}
