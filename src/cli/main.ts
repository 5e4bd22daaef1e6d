import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { CommandError } from './command-error.ts';
import { type CommandContext, processContext } from './context.ts';
import { exitCodeOf, exitCodes } from './exit-code.ts';
import { createProgram } from './program.ts';

/** The command line: `flashback <verb> …`. Sets the process's exit code (`exit-code.ts`). */
export async function main(argv: readonly string[]): Promise<void> {
  using context = processContext();
  // A third of a small command's time is compiling: the next one finds it done. Failing to is no failure.
  enableCompileCache(join(context.folders.cache, 'code'));
  // Whoever pipes into `head` has what they wanted. Verbs that do more than print take this back.
  context.output.onPipeClosed(() => process.exit(exitCodes.done));
  process.exitCode = await run(argv, context);
}

/** Runs one command to its end. @returns its exit code; every error has been told by then. */
export async function run(argv: readonly string[], context: CommandContext): Promise<number> {
  const { output } = context;
  const end = argv.indexOf('--');
  output.useJson(argv.slice(0, end === -1 ? undefined : end).includes('--json'));
  try {
    const program = await createProgram(argv, context);
    await program.parseAsync([...argv], { from: 'user' });
    if (output.failure === undefined) return exitCodes.done;
    throw new CommandError('failed', `Cannot write the output: ${output.failure.message}`);
  } catch (error) {
    return tell(error, context);
  }
}

function tell(error: unknown, { output, environment }: CommandContext): number {
  if (error instanceof CommanderError) return tellUsage(error, output);
  if (!(error instanceof Error)) {
    output.error('failed', String(error));
    return exitCodes.failed;
  }
  if (environment['FLASHBACK_DEBUG']) output.note(error.stack ?? error.message);
  // Errors of other layers carry their own codes; what has none is a mistake of ours.
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'failed';
  // Who pressed Ctrl-C knows.
  if (code === 'interrupted' && !output.isJson) return exitCodes.interrupted;
  const advice = error instanceof CommandError ? error.advice : undefined;
  output.error(code, error.message, advice);
  return exitCodeOf(code);
}

function tellUsage(error: CommanderError, output: CommandContext['output']): number {
  // Help and version were asked for and have been printed.
  if (error.exitCode === 0) return exitCodes.done;
  if (error.code !== 'commander.help') {
    const [message = error.message, ...more] = error.message.replace(/^error: /, '').split('\n');
    output.error('usage', message, more.join(' ') || undefined);
  }
  return exitCodes.wrongUsage;
}
