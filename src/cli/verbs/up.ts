import { type Command, Option } from 'commander';
import { readIdentityCard } from '../../peer/identity-transfer.ts';
import type { DaemonReady, RunningDaemon } from '../../peer/run-daemon.ts';
import { type LoadedSettings, loadSettings } from '../../peer/settings/load-settings.ts';
import { printable } from '../../util/printable.ts';
import type { RelayState } from '../../wire/local-api.ts';
import { settingDescriptions } from '../../wire/setting-descriptions.ts';
import type { SettingName } from '../../wire/settings.ts';
import { usageError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { openDaemonLog } from '../daemon-log.ts';
import type { Output } from '../output.ts';
import { stopInTime, stopSignals } from '../stop-signals.ts';

type UpOptions = Readonly<Record<string, string | boolean | undefined>>;

export function declareUp(command: Command, context: CommandContext): void {
  for (const { flag, meaning } of Object.values(settingDescriptions)) command.option(flag, meaning);
  command
    .option('--json', 'print a line of JSON when ready, and one for each change after it')
    .addHelpText(
      'after',
      `
A flag holds for this run; "flashback config set" is for good. The first Ctrl-C says good-bye to the relay and stops,
a second one stops at once. The log goes to stderr, or into a file when stderr is a terminal.

Examples:
  flashback up
  flashback up --policy registered --port 4711
  flashback up --house ~/Shared --json >ready.json &`,
    )
    .action((options: UpOptions) => up(flagsOf(options), context));
}

async function up(flags: Flags, context: CommandContext): Promise<void> {
  const { output, folders } = context;
  const loaded = await loadSettings({ ...context, flags });
  for (const warning of loaded.warnings) output.warning(warning);
  await requireOwnIdentity(loaded, context);
  // Being there goes on when the reader of the first line has left.
  output.onPipeClosed(undefined);
  using signals = stopSignals(context);
  const { log, file } = openDaemonLog(loaded.settings.logLevel, context);
  const { runDaemon } = await import('../../peer/run-daemon.ts');
  const { settings, identityFolder } = loaded;
  const daemon = await runDaemon({ settings, folders, identityFolder, log });
  try {
    output.object({ event: 'ready', ...daemon.ready });
    for (const line of renderReady(daemon.ready, loaded, file, output)) output.line(line);
    tellChanges(daemon, output);
    await Promise.race([signals.stopped, daemon.stopRequested]);
    output.note('Stopping; once more Ctrl-C does not wait.');
  } finally {
    await stopInTime(context, async () => daemon[Symbol.asyncDispose]());
  }
}

type Flags = Readonly<Partial<Record<SettingName, string>>>;

function flagsOf(options: UpOptions): Flags {
  const flags: Partial<Record<SettingName, string>> = {};
  for (const [name, { flag }] of Object.entries(settingDescriptions)) {
    const value = options[new Option(flag).attributeName()];
    // A flag without a value (`--show-hidden`) is true.
    if (value !== undefined) flags[name as SettingName] = String(value);
  }
  return flags;
}

/** The certificate says who this is; a setting that says otherwise would be believed by its owner. */
async function requireOwnIdentity({ settings }: LoadedSettings, context: CommandContext): Promise<void> {
  const card = await readIdentityCard(context);
  if (settings.email === undefined || settings.email === card.email) return;
  throw usageError(
    `The settings say that you are ${settings.email}, and the certificate in ${card.folder} says ${card.email}`,
    `Correct the setting: flashback config set email ${card.email}; or be both, each with its own FLASHBACK_HOME`,
  );
}

function renderReady(
  ready: DaemonReady,
  { settings }: LoadedSettings,
  logFile: string | undefined,
  output: Pick<Output, 'paint'>,
): string[] {
  const policy = Array.isArray(settings.policy) ? settings.policy.join(', ') : settings.policy;
  const house = settings.fileRootDirectory;
  return [
    `You are there as ${ready.email}.`,
    house === undefined
      ? '  house    none: choose one with flashback config set fileRootDirectory FOLDER'
      : `  house    ${printable(house)} for ${policy}, port ${ready.port}`,
    ...(house === undefined ? [] : houseProblem(ready.house, output)),
    `  web app  ${ready.ui}`,
    ...(logFile === undefined ? [] : [`  log      ${logFile}`]),
    'Ctrl-C stops.',
  ];
}

/** Why nobody can visit just now, as a line below the house. */
function houseProblem({ state, reason }: DaemonReady['house'], output: Pick<Output, 'paint'>): string[] {
  if (state === 'away')
    return [`           ${output.paint('red', 'is away')}: ${printable(reason ?? 'it cannot be opened')}`];
  if (state === 'off')
    return [`           is ${output.paint('yellow', 'off')}: open it with flashback share on`];
  return [];
}

function tellChanges(daemon: RunningDaemon, output: Output): void {
  const tellRelay = (relay: RelayState): void => {
    output.object({ event: 'relay', ...relay });
    if (!output.isJson) output.note(relaySentence(relay));
  };
  // What became known between the start and now is news as well.
  tellRelay(daemon.relayState());
  daemon.onRelayState(tellRelay);
  daemon.onRequest(({ email, address }) => {
    output.object({ event: 'request', email, address });
    output.note(`${email} knocked (from ${printable(address)}): flashback friends requests`);
  });
}

function relaySentence({ state, url, reason }: RelayState): string {
  const why = reason === undefined ? '' : `: ${printable(reason)}`;
  switch (state) {
    case 'none':
      return 'No relay is set: only friends whose addresses are known can be found. flashback config set relayTrackerUrl URL';
    case 'connecting':
      return `Asking the relay ${url}`;
    case 'announced':
      return 'The relay announces you';
    case 'withdrawn':
      return 'The relay announces you no more';
    case 'away':
      return `The relay is away, and is asked again by itself${why}`;
    default:
      return `The relay refuses${why}`;
  }
}
