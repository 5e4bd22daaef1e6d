import { dirname, join, resolve } from 'node:path';
import { didYouMean } from '../../util/did-you-mean.ts';
import { type DataFolders, expandHome } from '../../util/platform/data-folder.ts';
import { printable } from '../../util/printable.ts';
import { settingDescriptions } from '../../wire/setting-descriptions.ts';
import {
  configFileName,
  environmentName,
  type SettingName,
  type Settings,
  SettingsSchema,
} from '../../wire/settings.ts';
import { type RawConfig, readConfigFile, writeConfigFile } from './config-file.ts';
import { houseFolderRefusal } from './house-folder-refusal.ts';
import { isSettingName, settingFromText, settingNames } from './setting-text.ts';
import { SettingsError } from './settings-error.ts';

/** Where a value was found: `name` is the flag, the environment variable or the path of the config file. */
export type SettingOrigin =
  | { readonly source: 'flag' | 'environment' | 'file'; readonly name: string }
  | { readonly source: 'default' };

export interface LoadedSettings {
  /** Paths are absolute. */
  readonly settings: Settings;
  readonly originBySetting: Readonly<Record<SettingName, SettingOrigin>>;
  readonly configFile: string;
  /** Folder of the key and the certificate: `certificatePath`, or the one in the data folder. */
  readonly identityFolder: string;
  /** What is probably a mistake and changes nothing: an environment variable that is nearly a setting's. */
  readonly warnings: readonly string[];
}

export interface LoadSettingsOptions {
  readonly folders: DataFolders;
  readonly environment: NodeJS.ProcessEnv;
  /** Relative paths in flags and the environment start here; those in the config file start in its folder. */
  readonly currentDirectory: string;
  /** By setting, the text a flag was given. */
  readonly flags?: Readonly<Partial<Record<SettingName, string>>>;
}

/**
 * The settings of this run: flag before environment before config file before default (design §8).
 *
 * @throws {SettingsError} listing every value that cannot be used, where it stands and what is allowed.
 */
export async function loadSettings(options: LoadSettingsOptions): Promise<LoadedSettings> {
  const { folders, environment } = options;
  const configFile = configFileOf(folders);
  const config = await readConfigFile(configFile);
  const problems = unknownKeyProblems(config, configFile);
  const values: Partial<Record<SettingName, unknown>> = {};
  const origins: Partial<Record<SettingName, SettingOrigin>> = {};
  for (const name of settingNames) {
    const candidate = findCandidate(name, config, configFile, options);
    origins[name] = candidate?.origin ?? { source: 'default' };
    if (candidate === undefined) continue;
    const judged = judge(name, candidate);
    if ('problem' in judged) problems.push(judged.problem);
    else values[name] = judged.value;
  }
  if (problems.length > 0) throw new SettingsError(problems);
  const settings = SettingsSchema.parse(values);
  await refuseSecretHouse(settings, folders);
  return {
    settings,
    originBySetting: origins as Record<SettingName, SettingOrigin>,
    configFile,
    identityFolder: identityFolderOf(settings, folders),
    warnings: environmentWarnings(environment),
  };
}

export function configFileOf(folders: DataFolders): string {
  return join(folders.config, configFileName);
}

/** Folder of the key and the certificate. */
function identityFolderOf(
  settings: Readonly<Partial<Pick<Settings, 'certificatePath'>>>,
  folders: DataFolders,
): string {
  return settings.certificatePath ?? join(folders.data, 'identity');
}

/**
 * Changes settings in the config file and leaves the rest of it as it is. Text is read as a flag's would be, and
 * undefined takes the setting out.
 *
 * @throws {SettingsError} when a value cannot be used or the file cannot be read; then nothing is written.
 */
export async function saveSettings(
  changes: Readonly<Partial<Record<SettingName, string | undefined>>>,
  options: Pick<LoadSettingsOptions, 'folders' | 'currentDirectory'>,
): Promise<void> {
  const configFile = configFileOf(options.folders);
  const config: Record<string, unknown> = { ...(await readConfigFile(configFile)) };
  const problems: string[] = [];
  for (const name of settingNames) {
    if (!(name in changes)) continue;
    const text = changes[name];
    if (text === undefined) {
      delete config[name];
      continue;
    }
    const judged = judge(name, {
      raw: settingFromText(name, text),
      shown: text,
      origin: { source: 'flag', name },
      folder: options.currentDirectory,
    });
    if ('problem' in judged) problems.push(judged.problem);
    else config[name] = judged.value;
  }
  if (problems.length > 0) throw new SettingsError(problems);
  const { fileRootDirectory, certificatePath } = config;
  await refuseSecretHouse(
    {
      ...(typeof fileRootDirectory === 'string' && { fileRootDirectory }),
      ...(typeof certificatePath === 'string' && { certificatePath }),
    },
    options.folders,
  );
  await writeConfigFile(configFile, config);
}

/** Takes a key out of the config file, known or not. @returns whether it was there. */
export async function removeConfigKey(key: string, folders: DataFolders): Promise<boolean> {
  const configFile = configFileOf(folders);
  const config = await readConfigFile(configFile);
  if (!Object.hasOwn(config, key)) return false;
  await writeConfigFile(
    configFile,
    Object.fromEntries(Object.entries(config).filter(([name]) => name !== key)),
  );
  return true;
}

/** `key` as a setting's name. @throws {SettingsError} with a suggestion when there is none of that name. */
export function requireSettingName(key: string): SettingName {
  if (isSettingName(key)) return key;
  throw new SettingsError([`There is no setting "${printable(key)}"${suggestion(key, settingNames)}`]);
}

async function refuseSecretHouse(
  settings: Readonly<Partial<Pick<Settings, 'fileRootDirectory' | 'certificatePath'>>>,
  folders: DataFolders,
): Promise<void> {
  const { fileRootDirectory } = settings;
  if (fileRootDirectory === undefined) return;
  const refusal = await houseFolderRefusal(fileRootDirectory, {
    identity: identityFolderOf(settings, folders),
    others: [folders.data, folders.config],
  });
  if (refusal !== undefined) throw new SettingsError([refusal]);
}

interface Candidate {
  readonly raw: unknown;
  /** As the person wrote it. */
  readonly shown: string;
  readonly origin: Exclude<SettingOrigin, { source: 'default' }>;
  /** Where a relative path starts. */
  readonly folder: string;
}

function findCandidate(
  name: SettingName,
  config: RawConfig,
  configFile: string,
  { flags, environment, currentDirectory }: LoadSettingsOptions,
): Candidate | undefined {
  const fromText = (text: string, origin: Candidate['origin']): Candidate => ({
    raw: settingFromText(name, text),
    shown: text,
    origin,
    folder: currentDirectory,
  });
  const flag = flags?.[name];
  if (flag !== undefined) return fromText(flag, { source: 'flag', name: flagName(name) });
  const variable = environmentName(name);
  const text = environment[variable];
  // An empty variable is how shells and unit files unset one.
  if (text !== undefined && text !== '') return fromText(text, { source: 'environment', name: variable });
  if (!Object.hasOwn(config, name)) return undefined;
  return {
    raw: config[name],
    shown: JSON.stringify(config[name]),
    origin: { source: 'file', name: configFile },
    folder: dirname(configFile),
  };
}

function judge(name: SettingName, candidate: Candidate): { value: unknown } | { problem: string } {
  const parsed = SettingsSchema.shape[name].safeParse(candidate.raw);
  if (!parsed.success) {
    const { origin, shown } = candidate;
    const where = origin.source === 'file' ? `"${name}" in ${origin.name}` : origin.name;
    return {
      problem: `${where} is ${printable(shown)}, which cannot be used: allowed is ${settingDescriptions[name].allowed}`,
    };
  }
  const value: unknown = parsed.data;
  if (settingDescriptions[name].kind === 'path' && typeof value === 'string')
    return { value: resolve(candidate.folder, expandHome(value)) };
  return { value };
}

function unknownKeyProblems(config: RawConfig, configFile: string): string[] {
  return Object.keys(config)
    .filter((key) => !isSettingName(key))
    .map((key) => `"${printable(key)}" in ${configFile} is not a setting${suggestion(key, settingNames)}`);
}

/** Other programs may set `FLASHBACK_` variables of their own, so only a near miss is worth a word. */
function environmentWarnings(environment: NodeJS.ProcessEnv): string[] {
  const known = settingNames.map(environmentName);
  return Object.keys(environment)
    .filter((key) => key.startsWith('FLASHBACK_') && !known.includes(key) && !isOtherVariable(key))
    .flatMap((key) => {
      const meant = didYouMean(key, known);
      return meant === undefined
        ? []
        : [`The environment variable ${key} is not known: did you mean ${meant}?`];
    });
}

function isOtherVariable(key: string): boolean {
  return key === 'FLASHBACK_HOME' || key === 'FLASHBACK_DEBUG' || key.startsWith('FLASHBACK_RELAY_');
}

function suggestion(word: string, candidates: readonly string[]): string {
  const meant = didYouMean(word, candidates);
  return meant === undefined ? `. Settings are ${candidates.join(', ')}` : `: did you mean "${meant}"?`;
}

function flagName(name: SettingName): string {
  return settingDescriptions[name].flag.split(' ')[0] ?? name;
}
