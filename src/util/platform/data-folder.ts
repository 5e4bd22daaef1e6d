import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import envPaths from 'env-paths';

export interface DataFolders {
  /** Identity, friends, state: worth a backup. */
  readonly data: string;
  /** The config file's folder. */
  readonly config: string;
  /** Can be deleted at any time. */
  readonly cache: string;
  readonly log: string;
}

/**
 * Where this user's files live: the platform's own folders (XDG on Linux, `~/Library` on macOS, `%LOCALAPPDATA%`
 * and `%APPDATA%` on Windows), or all of them under `FLASHBACK_HOME` when that is set.
 */
export function dataFolders(environment: NodeJS.ProcessEnv = process.env): DataFolders {
  const home = environment['FLASHBACK_HOME'];
  if (home !== undefined && home !== '') {
    const root = resolve(home);
    return { data: root, config: root, cache: join(root, 'cache'), log: join(root, 'log') };
  }
  const { data, config, cache, log } = envPaths('flashback', { suffix: '' });
  return { data, config, cache, log };
}

/** Where `~/` in a path that a person typed into a config file points. */
export function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') || path.startsWith('~\\')
    ? join(homedir(), path.slice(1))
    : path;
}
