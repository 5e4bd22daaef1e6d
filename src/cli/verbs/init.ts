import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import {
  emailProblem,
  type Initialised,
  type InitialiseOptions,
  initialise,
  lookAtRelay,
} from '../../peer/initialise.ts';
import { loadSettings } from '../../peer/settings/load-settings.ts';
import { expandHome } from '../../util/platform/data-folder.ts';
import { formatRelayUrl, parseRelayUrl } from '../../wire/relay-url.ts';
import type { Settings } from '../../wire/settings.ts';
import { usageError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { ask, canAsk, confirm } from '../prompt.ts';

interface InitOptions {
  readonly email?: string;
  readonly relay?: string;
  readonly house?: string;
  readonly policy?: string;
  readonly announce?: string;
  readonly certificatePath?: string;
  readonly json?: boolean;
}

type Choices = InitialiseOptions['choices'];

export function declareInit(command: Command, context: CommandContext): void {
  command
    .option('--email <email>', 'who you are')
    .option('--relay <url>', 'the relay where peers find each other, https://host:port#sha256=…')
    .option('--house <folder>', 'the folder you share')
    .option('--policy <policy>', 'who may visit: friends, registered, or e-mails separated by commas')
    .option('--announce <who>', 'who sees you at the relay: all, friends or none')
    .option(
      '--certificate-path <folder>',
      'folder of client.key and client.crt, made when they are not there',
    )
    .option('--json', 'print the result as a line of JSON; never asks')
    .addHelpText(
      'after',
      `
Without options on a terminal it asks. Run it again to change settings: an identity that is there is never replaced.

Examples:
  flashback init
  flashback init --email me@example.com --relay https://relay.example:3000#sha256=… --house ~/Shared`,
    )
    .action(async (options: InitOptions) => {
      const given = givenChoices(options);
      const isAsking = Object.keys(given).length === 0 && canAsk(context);
      const choices = isAsking ? await askChoices(context) : given;
      show(await initialise({ ...context, choices }), context);
    });
}

function givenChoices({ email, relay, house, policy, announce, certificatePath }: InitOptions): Choices {
  return {
    ...(email !== undefined && { email }),
    ...(relay !== undefined && { relayTrackerUrl: relay }),
    ...(house !== undefined && { fileRootDirectory: house }),
    ...(policy !== undefined && { policy }),
    ...(announce !== undefined && { announce }),
    ...(certificatePath !== undefined && { certificatePath }),
  };
}

async function askChoices(context: CommandContext): Promise<Choices> {
  const { settings } = await loadSettings(context);
  const email = settings.email ?? (await ask(context, { text: 'Your e-mail', problem: emailProblem }));
  const relay = await askRelay(context, settings);
  const house = await askHouse(context, settings);
  return {
    email,
    ...(relay !== '' && { relayTrackerUrl: relay }),
    ...(house !== '' && { fileRootDirectory: house }),
  };
}

async function askRelay(context: CommandContext, settings: Settings): Promise<string> {
  const typed = await ask(context, {
    text: 'Relay URL (from whoever runs it; empty for none yet)',
    fallback: settings.relayTrackerUrl ?? '',
    problem: relayProblem,
  });
  if (typed === '') return '';
  const url = parseRelayUrl(typed);
  if (url.fingerprint !== undefined) return typed;
  const seen = await lookAtRelay(url, context.interrupted);
  if (seen.kind === 'authority') return typed;
  if (seen.kind === 'unreachable') {
    context.output.warning(`The relay cannot be asked now (${seen.reason}); it is kept as you typed it`);
    return typed;
  }
  context.output.note(`  The relay made its own certificate. Its fingerprint is\n    ${seen.fingerprint}`);
  if (await confirm(context, "  Is that what the relay's operator told you?", false))
    return formatRelayUrl(url.origin, seen.fingerprint);
  throw usageError(
    'The relay was not trusted, and nothing was changed',
    'Ask its operator for the whole URL, with #sha256=…',
  );
}

function relayProblem(text: string): string | undefined {
  if (text === '') return undefined;
  try {
    parseRelayUrl(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function askHouse(context: CommandContext, settings: Settings): Promise<string> {
  const typed = await ask(context, {
    text: 'Folder to share (with friends only, until you say otherwise)',
    fallback: settings.fileRootDirectory ?? join(homedir(), 'Flashback'),
  });
  const folder = resolve(context.currentDirectory, expandHome(typed));
  if (!existsSync(folder) && (await confirm(context, `  ${folder} does not exist. Make it?`, true)))
    await mkdir(folder, { recursive: true });
  return folder;
}

function show(result: Initialised, { output }: CommandContext): void {
  output.object({ event: 'initialized', ...result });
  output.line(
    result.isNew ? `You are ${result.email} now.` : `You are ${result.email}; the settings are saved.`,
  );
  output.line('');
  output.line(`  fingerprint   ${result.fingerprint}`);
  output.line(`  safety words  ${result.safetyWords.join(' ')}`);
  output.line(`  identity      ${result.identityFolder}`);
  output.line(`  settings      ${result.configFile}`);
  output.line(`  relay         ${result.relay ?? 'none yet (flashback init --relay URL)'}`);
  output.line(`  house         ${result.house ?? 'none yet (flashback init --house FOLDER)'}`);
  if (result.house !== undefined && !result.isHouseThere)
    output.warning(
      `The folder ${result.house} does not exist: until it does, visitors are told that it is away`,
    );
  output.note('\nFriends compare the safety words with you before they trust you. Next: flashback up');
}
