import type { Readable } from 'node:stream';
import { type DataFolders, dataFolders } from '../util/platform/data-folder.ts';
import { CommandError } from './command-error.ts';
import { exitCodes } from './exit-code.ts';
import { Output } from './output.ts';

/** Where a command reads: the terminal, a pipe, or a test's stream. */
export interface TerminalInput extends Readable {
  readonly isTTY?: boolean;
  /** There on a terminal: hands over each key instead of whole lines, and shows nothing. */
  setRawMode?(isRaw: boolean): unknown;
}

/** What a command may know of its surroundings, handed in so that tests give their own. */
export interface CommandContext {
  readonly environment: NodeJS.ProcessEnv;
  readonly currentDirectory: string;
  readonly folders: DataFolders;
  readonly stdin: TerminalInput;
  readonly output: Output;
  /** Aborts at Ctrl-C, with a {@link CommandError} of code `interrupted` as reason. */
  readonly interrupted: AbortSignal;
}

/** `npm run` passes on the Ctrl-C that the terminal has sent to the child already: one press, two signals within milliseconds. */
export const sameSignalWithinMs = 200;

export interface ProcessContext extends CommandContext, Disposable {}

/** The surroundings of this process. The first Ctrl-C aborts `interrupted`, the second ends the process at once. */
export function processContext(): ProcessContext {
  const controller = new AbortController();
  let firstMs: number | undefined;
  const onInterrupt = (): void => {
    const nowMs = performance.now();
    if (firstMs !== undefined && nowMs - firstMs > sameSignalWithinMs) process.exit(exitCodes.interrupted);
    firstMs ??= nowMs;
    controller.abort(new CommandError('interrupted', 'Interrupted'));
  };
  process.on('SIGINT', onInterrupt);
  return {
    environment: process.env,
    currentDirectory: process.cwd(),
    folders: dataFolders(process.env),
    stdin: process.stdin,
    output: new Output({ stdout: process.stdout, stderr: process.stderr, environment: process.env }),
    interrupted: controller.signal,
    [Symbol.dispose]() {
      process.removeListener('SIGINT', onInterrupt);
    },
  };
}
