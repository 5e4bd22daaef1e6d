import { errorCode } from '../../util/error-code.ts';
import type { FailureCode } from '../../wire/local-api.ts';

/** A download that failed on this side, or whose bytes are not what the house says; the message is a sentence for a person. */
export class DownloadError extends Error {
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DownloadError';
    this.code = code;
  }
}

/** The house has another version of the file than the one whose bytes are here. */
export class FileChangedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FileChangedError';
  }
}

/** What the system said when it refused to write, as an error for a person. `action` is what was being done: `Cannot write /a/b`. */
export function localFailure(action: string, error: unknown): DownloadError {
  if (error instanceof DownloadError) return error;
  const errno = errorCode(error);
  const clause = errno === undefined ? undefined : clauseByErrno[errno];
  const message = clause ?? (error instanceof Error ? error.message : String(error));
  return new DownloadError('failed', `${action}: ${message}`, { cause: error });
}

const clauseByErrno: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full. What came so far is kept: make room and run the same again',
  EDQUOT: 'your disk quota is used up. What came so far is kept: make room and run the same again',
  EFBIG: 'the file system there cannot hold a file of this size (FAT32 ends at 4 GiB)',
  EROFS: 'the disk is read-only',
  EACCES: 'you have no permission to write there',
  EPERM: 'you have no permission to write there',
  ENOENT: 'the folder does not exist',
  ENOTDIR: 'what should be a folder is a file',
  EISDIR: 'it is a folder',
  ELOOP: 'a symbolic link stands there',
  ENAMETOOLONG: 'the name is too long for the file system there',
  EILSEQ: 'the file system there cannot hold the name',
  EINVAL: 'the file system there cannot hold the name',
  EIO: 'the disk reports an error',
  EMFILE: 'too many files are open on this machine',
  ENFILE: 'too many files are open on this machine',
};

/** The whole disk is affected, not one file: to go on with the next file would only fail again. */
export function isDiskFailure(error: unknown): boolean {
  const errno = errorCode(error instanceof DownloadError ? error.cause : error);
  return errno !== undefined && diskErrnos.has(errno);
}

const diskErrnos = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EIO',
  'ENODEV',
  'ESTALE',
  'EMFILE',
  'ENFILE',
  'ENXIO',
]);

/** One file's name or size does not fit into the file system at the target; others may. */
export function isUnfitFailure(error: unknown): boolean {
  const errno = errorCode(error instanceof DownloadError ? error.cause : error);
  return errno === 'ENAMETOOLONG' || errno === 'EILSEQ' || errno === 'EINVAL' || errno === 'EFBIG';
}
