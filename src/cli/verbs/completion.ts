import type { Command } from 'commander';
import { HouseListingSchema } from '../../wire/house-http.ts';
import { localApiPaths, PeersSchema } from '../../wire/local-api.ts';
import { settingDescriptions } from '../../wire/setting-descriptions.ts';
import { bashCompletion } from '../completion/bash-completion.ts';
import { describeTree } from '../completion/completion-tree.ts';
import { fishCompletion } from '../completion/fish-completion.ts';
import { zshCompletion } from '../completion/zsh-completion.ts';
import type { CommandContext } from '../context.ts';
import { DaemonClient } from '../daemon-client.ts';
import { formatHouseTarget, parseHouseTarget } from '../house-target.ts';

/** Somebody waits with a finger on the Tab key. */
const answerTimeoutMs = 1500;
/** More than a screen of them helps nobody. */
const entriesMax = 1000;

/** Strangers choose their e-mails, and `$(…)@x.org` is one: what a shell would act upon is never put on a command line. */
const shellSafe = /^[\w.+@-]+$/;

const scriptByShell = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

export function declareCompletion(command: Command, context: CommandContext): void {
  command.addHelpText(
    'after',
    `
Examples:
  source <(flashback completion bash)         in ~/.bashrc
  source <(flashback completion zsh)          in ~/.zshrc
  flashback completion fish | source          in ~/.config/fish/config.fish`,
  );
  for (const [shell, render] of Object.entries(scriptByShell)) {
    command
      .command(shell)
      .description(`print the script for ${shell}`)
      .action(() => {
        // program.ts has loaded every verb for this one.
        const program = command.parent ?? command;
        const nodes = describeTree(program, { name: Object.keys(settingDescriptions) });
        context.output.stdout.write(render(nodes));
      });
  }
  // What the scripts ask while somebody types.
  for (const kind of ['person', 'place'] as const) {
    command
      .command(kind, { hidden: true })
      .argument('[typed]', '', '')
      .action(async (typed: string) => {
        // A name with a line feed would be two.
        for (const candidate of await candidates(kind, typed, context))
          if (!/[\r\n]/.test(candidate)) context.output.stdout.write(`${candidate}\n`);
      });
  }
}

async function candidates(
  kind: 'person' | 'place',
  typed: string,
  context: CommandContext,
): Promise<string[]> {
  const daemon = await DaemonClient.open(context);
  if (kind === 'place' && typed.includes(':')) return places(daemon, typed);
  const { peers } = await daemon.ask(PeersSchema, { path: localApiPaths.peers, timeoutMs: answerTimeoutMs });
  const end = kind === 'place' ? ':/' : '';
  return peers
    .filter(({ email }) => shellSafe.test(email))
    .map(({ email }) => `${email}${end}`)
    .filter((candidate) => candidate.startsWith(typed));
}

/** What is in the folder that was typed so far. */
async function places(daemon: DaemonClient, typed: string): Promise<string[]> {
  const folder = parseHouseTarget(typed.slice(0, Math.max(typed.lastIndexOf('/'), typed.indexOf(':')) + 1));
  const { entries } = await daemon.ask(HouseListingSchema, {
    path: localApiPaths.files,
    query: { peer: folder.peer, path: folder.path, limit: String(entriesMax) },
    timeoutMs: answerTimeoutMs,
  });
  const base = folder.path === '' ? formatHouseTarget(folder) : `${formatHouseTarget(folder)}/`;
  return entries
    .map(({ name, type }) => `${base}${name}${type === 'directory' ? '/' : ''}`)
    .filter((candidate) => candidate.startsWith(typed));
}
