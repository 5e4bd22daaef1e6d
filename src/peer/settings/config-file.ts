import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { makePrivateFolder, writeFileAtomically } from '../../util/atomic-file.ts';
import { errorCode } from '../../util/error-code.ts';
import { SettingsError } from './settings-error.ts';

/** What stands in the config file, each value still to be judged. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** Settings are a few lines; a file of this size is not ours. */
const configBytesMax = 1_048_576;
const RawConfigSchema = z.record(z.string(), z.unknown());

/** Reads the config file; one that does not exist is empty. @throws {SettingsError} naming the file. */
export async function readConfigFile(path: string): Promise<RawConfig> {
  const text = await readText(path);
  if (text === undefined || text.trim() === '') return {};
  if (text.length > configBytesMax)
    throw new SettingsError([`Cannot read ${path}: it is longer than ${configBytesMax} bytes`]);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SettingsError([`Cannot read ${path}: it is not JSON (${reason})`], { cause });
  }
  const parsed = RawConfigSchema.safeParse(value);
  if (!parsed.success)
    throw new SettingsError([`Cannot read ${path}: it must hold one JSON object, {"setting": value, ...}`]);
  return parsed.data;
}

/** Writes the whole file or nothing, readable by its owner only. */
export async function writeConfigFile(path: string, config: RawConfig): Promise<void> {
  await makePrivateFolder(dirname(path));
  await writeFileAtomically(path, `${JSON.stringify(config, undefined, 2)}\n`);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SettingsError([`Cannot read the settings in ${path}: ${reason}`], { cause });
  }
}
