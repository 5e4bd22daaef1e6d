import type { Command } from 'commander';
import { didYouMean } from '../util/did-you-mean.ts';
import { printable } from '../util/printable.ts';
import { usageError } from './command-error.ts';

/**
 * Makes `command` what its parent does without a word (`flashback friends` is `flashback friends list`). A word that is none
 * of the parent's commands lands here, too, and is refused as such.
 */
export function asDefault(command: Command, action: () => void | Promise<void>): void {
  command.allowExcessArguments().action(async () => {
    const [word] = command.args;
    if (word !== undefined) throw unknownWord(word, command.parent);
    await action();
  });
}

function unknownWord(word: string, parent: Command | null): Error {
  const names = parent?.commands.map((sibling) => sibling.name()) ?? [];
  const meant = didYouMean(word, names);
  return usageError(
    `unknown command '${printable(word)}' after 'flashback ${parent?.name()}'`,
    meant === undefined ? `There are: ${names.join(', ')}` : `Did you mean ${meant}?`,
  );
}
