import { Command } from 'commander';
import { programVersion } from '../util/version.ts';
import type { CommandContext } from './context.ts';
import { verbs } from './verbs.ts';

const examples = `
First steps:
  flashback init                        who you are, your relay, the folder you share
  flashback up                          be there; leave it running
  flashback peers                       who else is there
  flashback ls anna@example.com:/       visit a house
  flashback get anna@example.com:/a.pdf

Every command explains itself: flashback <command> --help
Scripts use --json and the exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 offline or
unreachable, 5 refused, 6 identity changed, 130 interrupted.`;

/**
 * The command tree. Of the verbs only the one that `argv` names is loaded, so that a small command does not pay
 * for all others; the rest stand there by name and summary.
 */
export async function createProgram(argv: readonly string[], context: CommandContext): Promise<Command> {
  const { output } = context;
  const program = new Command('flashback')
    .description(
      "Find each other, visit each other's shared folders, end-to-end encrypted, without a cloud in the middle.",
    )
    .version(programVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'explain a command')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void output.stdout.write(text),
      writeErr: (text) => void output.stderr.write(text),
      // main.ts tells errors, in the form that was asked for.
      outputError: () => {},
      getOutHelpWidth: () => output.columns,
      getErrHelpWidth: () => output.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', examples);
  const [wanted, next] = argv.filter((word) => !word.startsWith('-') && word !== 'help');
  // A completion script knows every verb.
  const isAllWanted = wanted === 'completion' && (next === 'bash' || next === 'zsh' || next === 'fish');
  for (const verb of verbs) {
    const command = program.command(verb.name).description(verb.summary).helpGroup(verb.group);
    if (!isAllWanted && wanted !== verb.name) continue;
    const declare = await verb.load();
    declare(command, context);
  }
  return program;
}
