import type { Finding } from '../../wire/local-api.ts';
import { type LoadedSettings, type LoadSettingsOptions, loadSettings } from '../settings/load-settings.ts';
import { SettingsError } from '../settings/settings-error.ts';
import { failure, fine } from './finding.ts';

const check = 'settings';

/** Without settings there is nothing else to check: `loaded` is then absent. */
export async function checkSettings(
  options: LoadSettingsOptions,
): Promise<{ findings: Finding[]; loaded?: LoadedSettings }> {
  try {
    const loaded = await loadSettings(options);
    return { findings: [fine(check, `${loaded.configFile} can be used`)], loaded };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return {
      findings: error.problems.map((message) =>
        failure(check, {
          code: 'config_invalid',
          message,
          advice: 'Correct the value, or take it out: flashback config unset NAME',
        }),
      ),
    };
  }
}
