import type { Argument, Command, Option } from 'commander';

/** What may stand after the words of a command. */
export interface CompletionNode {
  /** Words from the program's name on: `['friends', 'add']`; empty for the program itself. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly subcommands: readonly string[];
  readonly options: readonly CompletionOption[];
  readonly argument: ArgumentKind;
}

export interface CompletionOption {
  /** `--json`, or `-o` and `--output`. */
  readonly names: readonly string[];
  readonly meaning: string;
  readonly takesValue: boolean;
}

/** What the first argument is: one of these words, a person or a place in a house, or a file. */
type ArgumentKind =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'place' | 'person' | 'file' | 'none' };

/** The command tree as completion needs it, the program first, then its commands in the order of the help. */
export function describeTree(
  command: Command,
  wordsByArgument: Readonly<Record<string, readonly string[]>>,
  path: readonly string[] = [],
): CompletionNode[] {
  const helper = command.createHelp();
  const subcommands = helper.visibleCommands(command).filter((sub) => sub.name() !== 'help');
  const node: CompletionNode = {
    path,
    summary: command.description(),
    subcommands: subcommands.map((sub) => sub.name()),
    options: helper.visibleOptions(command).map(describeOption),
    argument: describeArgument(command.registeredArguments[0], wordsByArgument),
  };
  return [node, ...subcommands.flatMap((sub) => describeTree(sub, wordsByArgument, [...path, sub.name()]))];
}

function describeOption({ short, long, description, required }: Option): CompletionOption {
  return {
    names: [short, long].filter((name) => name !== undefined && name !== null),
    meaning: description,
    takesValue: required,
  };
}

function describeArgument(
  argument: Argument | undefined,
  wordsByArgument: Readonly<Record<string, readonly string[]>>,
): ArgumentKind {
  if (argument === undefined) return { kind: 'none' };
  const words = argument.argChoices ?? wordsByArgument[argument.name()];
  if (words !== undefined) return { kind: 'words', words };
  switch (argument.name()) {
    case 'place':
      return { kind: 'place' };
    case 'email':
      return { kind: 'person' };
    case 'file':
      return { kind: 'file' };
    default:
      return { kind: 'none' };
  }
}
