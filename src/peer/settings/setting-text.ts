import { settingDescriptions } from '../../wire/setting-descriptions.ts';
import { type SettingName, SettingsSchema } from '../../wire/settings.ts';

export const settingNames: readonly SettingName[] = SettingsSchema.keyof().options;

export function isSettingName(text: string): text is SettingName {
  return settingNames.some((name) => name === text);
}

/**
 * The value that `text` (from a flag, the environment, or `flashback config set`) stands for, as it would stand in the
 * config file. Text that stands for nothing is handed on as it is: the schema refuses it with its reason.
 */
export function settingFromText(name: SettingName, text: string): unknown {
  const trimmed = text.trim();
  switch (settingDescriptions[name].kind) {
    case 'number':
    case 'port-or-range':
      return /^-?\d+(?:\.\d+)?$/.test(trimmed) ? Number(trimmed) : trimmed;
    case 'boolean':
      return booleanByWord.get(trimmed.toLowerCase()) ?? trimmed;
    case 'policy':
      return trimmed.includes('@') ? trimmed.split(',').map((email) => email.trim()) : trimmed;
    case 'path':
      return text;
    default:
      return trimmed;
  }
}

const booleanByWord = new Map([
  ['true', true],
  ['yes', true],
  ['on', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['off', false],
  ['0', false],
]);
