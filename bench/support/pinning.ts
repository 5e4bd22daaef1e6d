import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { findProgram } from './find-program.ts';

/** Server and load each on a core of their own, so that neither takes the other's time or moves in its caches. */
export interface Cores {
  readonly server: number;
  readonly load: number;
}

/** Threads come and go while `taskset` walks over them, and it fails when one has gone meanwhile. */
const pinAttemptsMax = 10;

/**
 * Pins this process, all its threads, to the load's core and returns the cores; `undefined` (nothing is pinned)
 * where there is only one core or no `taskset`.
 */
export function pinLoad(): Cores | undefined {
  if (availableParallelism() < 2 || findProgram('taskset') === undefined) return undefined;
  const cores = { server: 0, load: 1 };
  const args = ['--all-tasks', '--cpu-list', '--pid', String(cores.load), String(process.pid)];
  for (let attempt = 1; ; attempt++) {
    const { status, stderr } = spawnSync('taskset', args, { encoding: 'utf8' });
    if (status === 0) return cores;
    if (attempt === pinAttemptsMax)
      throw new Error(`Cannot pin the load to core ${cores.load}: ${stderr.trim()}`);
  }
}

/** The command that runs `command` on one core; `taskset` replaces itself, so the process id stays the same. */
export function onCore(
  core: number | undefined,
  command: string,
  args: readonly string[],
): [string, string[]] {
  if (core === undefined) return [command, [...args]];
  return ['taskset', ['--cpu-list', String(core), command, ...args]];
}
