import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { onCore } from './pinning.ts';

const run = promisify(execFile);

/** The program under test, as users start it from a checkout. */
export const flashbackProgram = fileURLToPath(new URL('../../bin/flashback.ts', import.meta.url));

/** A command that takes longer than this has hung. */
const commandMs = 300_000;

export interface FlashbackCommand {
  readonly args: readonly string[];
  /** The data folder it works on (`FLASHBACK_HOME`). */
  readonly home: string;
  readonly core: number | undefined;
  readonly signal: AbortSignal;
}

/** Runs `flashback …` to its end and resolves to the last line it printed, parsed. Rejects when it does not exit with 0. */
export async function runFlashback({ args, home, core, signal }: FlashbackCommand): Promise<unknown> {
  const [command, commandArgs] = onCore(core, process.execPath, [flashbackProgram, ...args]);
  const { stdout } = await run(command, commandArgs, {
    env: { ...process.env, FLASHBACK_HOME: home },
    signal,
    timeout: commandMs,
    maxBuffer: 16 * 1024 * 1024,
  });
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}

/** The event that a line of `--json` output tells, with its other fields, or `undefined` for any other line. */
export function readEvent(line: string, event: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  const value = JSON.parse(line) as Record<string, unknown>;
  return value['event'] === event ? value : undefined;
}
