import type { Command } from 'commander';
import {
  configFileOf,
  type LoadedSettings,
  loadSettings,
  removeConfigKey,
  requireSettingName,
  type SettingOrigin,
  saveSettings,
} from '../../peer/settings/load-settings.ts';
import { printable } from '../../util/printable.ts';
import { settingDescriptions } from '../../wire/setting-descriptions.ts';
import { environmentName, type SettingName } from '../../wire/settings.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { readAccess } from '../daemon-client.ts';
import { asDefault } from '../default-command.ts';
import { renderTable } from '../render/table.ts';

const jsonFlag = ['--json', 'print the result as lines of JSON'] as const;
const allNames = Object.keys(settingDescriptions) as SettingName[];

export function declareConfig(command: Command, context: CommandContext): void {
  const names = allNames
    .map((name) => `  ${name.padEnd(24)} ${settingDescriptions[name].meaning}`)
    .join('\n');
  command.option(...jsonFlag).addHelpText(
    'after',
    `
Settings:
${names}

Each can stand in the environment, too: policy is ${environmentName('policy')}, housePort ${environmentName('housePort')}.
A flag of "flashback up" goes before the environment, and the environment before the config file.

Examples:
  flashback config
  flashback config set policy registered
  flashback config set fileRootDirectory ~/Shared`,
  );
  const listing = command
    .command('list', { isDefault: true })
    .description('every setting, its value and where it comes from')
    .option(...jsonFlag);
  asDefault(listing, () => list(context));
  command
    .command('get <name>')
    .description('one value; exits with 3 when it is not set')
    .option(...jsonFlag)
    .action((name: string) => get(requireSettingName(name), context));
  command
    .command('set <name> <value>')
    .description('write a value into the config file')
    .option(...jsonFlag)
    .action((name: string, value: string) => set(requireSettingName(name), value, context));
  command
    .command('unset <name>')
    .description('take a value out of the config file')
    .option(...jsonFlag)
    .action((name: string) => unset(name, context));
  command
    .command('path')
    .description('where the config file is')
    .option(...jsonFlag)
    .action(() => {
      const path = configFileOf(context.folders);
      context.output.result(path, { path });
    });
}

async function list(context: CommandContext): Promise<void> {
  const { output } = context;
  const loaded = await loadSettings(context);
  for (const warning of loaded.warnings) output.warning(warning);
  for (const name of allNames) output.object(describe(name, loaded));
  const rows = allNames.map((name) => [
    name,
    showValue(loaded.settings[name]),
    showOrigin(loaded.originBySetting[name]),
  ]);
  const lines = renderTable({
    columns: [{ title: 'SETTING' }, { title: 'VALUE' }, { title: 'FROM', isFlexible: true }],
    rows,
    width: undefined,
  });
  for (const line of lines) output.line(line);
}

async function get(name: SettingName, context: CommandContext): Promise<void> {
  const loaded = await loadSettings(context);
  const value = loaded.settings[name];
  if (value === undefined) throw new CommandError('not_found', `${name} is not set`);
  context.output.result(showValue(value), describe(name, loaded));
}

async function set(name: SettingName, text: string, context: CommandContext): Promise<void> {
  await saveSettings({ [name]: text }, context);
  const loaded = await loadSettings(context);
  context.output.result(`${name} is ${showValue(loaded.settings[name])}`, describe(name, loaded));
  const origin = loaded.originBySetting[name];
  if (origin.source === 'environment')
    context.output.warning(`${origin.name} in the environment goes before what was written`);
  await noteRestart(context);
}

async function unset(name: string, context: CommandContext): Promise<void> {
  if (!(await removeConfigKey(name, context.folders))) {
    requireSettingName(name);
    throw new CommandError('not_found', `${name} is not in ${configFileOf(context.folders)}`);
  }
  context.output.result(`${printable(name)} is taken out`, { event: 'unset', name });
  await noteRestart(context);
}

async function noteRestart(context: CommandContext): Promise<void> {
  if ((await readAccess(context.folders.data)) !== undefined)
    context.output.note('Flashback reads its settings when it starts: stop it and start it again.');
}

function describe(name: SettingName, { settings, originBySetting }: LoadedSettings): object {
  const origin = originBySetting[name];
  return {
    name,
    value: settings[name] ?? null,
    source: origin.source,
    ...(origin.source !== 'default' && { origin: origin.name }),
  };
}

function showValue(value: LoadedSettings['settings'][SettingName]): string {
  if (value === undefined) return '-';
  return printable(Array.isArray(value) ? value.join(',') : String(value));
}

function showOrigin(origin: SettingOrigin): string {
  return origin.source === 'default' ? 'default' : origin.name;
}
