/** Takes the bytes of an archive in order; a chunk may be used again once the promise settles. */
export interface ByteSink {
  write(bytes: Buffer): Promise<void>;
}

/** What an archive remembers of a file or folder: owner and permissions stay at home. */
export interface ArchiveEntry {
  /** Segments joined by `/`, without one at the end. */
  readonly name: string;
  readonly modifiedMs: number;
}

export interface ArchiveFile extends ArchiveEntry {
  /** Exactly as many bytes as `content` hands over. */
  readonly size: number;
  /** Packing it would only cost time. */
  readonly isPackedAlready: boolean;
  /** Hands the bytes over, each chunk good until its promise settles. */
  readonly content: (take: (chunk: Buffer) => Promise<void>) => Promise<void>;
}

/** Writes one archive from front to back, without ever going back: what a stream can carry. */
export interface ArchiveFormatWriter {
  writeFolder(entry: ArchiveEntry): Promise<void>;
  writeFile(file: ArchiveFile): Promise<void>;
  /** Nothing may follow. */
  end(): Promise<void>;
}

export const archivedFileMode = 0o644;
export const archivedFolderMode = 0o755;
