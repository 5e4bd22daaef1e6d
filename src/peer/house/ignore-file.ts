import type { BigIntStats } from 'node:fs';
import { errorCode } from '../../util/error-code.ts';
import { type HeldPath, type PathHolder, segmentsWithin } from '../../util/platform/handle-path.ts';

import { type IgnorePattern, parseIgnorePatterns } from './ignore-patterns.ts';

/** Stands at the top of the house; itself a dot file, so never shown by default. */
const ignoreFileName = '.flashbackignore';
/** Far beyond what people write by hand. */
const ignoreFileBytesMax = 256 * 1024;

/** The owner's ignore file, read again whenever it has changed. */
export class IgnoreFile {
  #version = '';
  #patterns: readonly IgnorePattern[] = [];

  /**
   * The patterns in force now. Throws when the file is there and cannot be used: showing what it was meant to hide would be the
   * worse failure.
   */
  async patterns(hold: PathHolder, root: HeldPath): Promise<readonly IgnorePattern[]> {
    try {
      await using held = await hold(`${root.handlePath}/${ignoreFileName}`);
      if (segmentsWithin(root, held) === undefined) throw new Error('it leads out of the shared folder');
      if (!held.stats.isFile()) throw new Error('it is not a file');
      const version = versionOf(held.stats);
      if (version !== this.#version) {
        this.#patterns = await readPatterns(held);
        this.#version = version;
      }
      return this.#patterns;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`its ${ignoreFileName} cannot be used: ${reason}`, { cause: error });
    }
  }
}

async function readPatterns(held: HeldPath): Promise<IgnorePattern[]> {
  if (held.stats.size > ignoreFileBytesMax) {
    throw new Error(`it holds ${held.stats.size} bytes, limit is ${ignoreFileBytesMax}`);
  }
  const file = await held.openFile();
  try {
    return parseIgnorePatterns(new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile()));
  } finally {
    await file.close();
  }
}

function versionOf(stats: BigIntStats): string {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':');
}
