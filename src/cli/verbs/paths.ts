import { join } from 'node:path';
import type { Command } from 'commander';
import { configFileOf, loadSettings } from '../../peer/settings/load-settings.ts';
import { localApiAccessFileName } from '../../wire/local-api.ts';
import type { CommandContext } from '../context.ts';

export function declarePaths(command: Command, context: CommandContext): void {
  command
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nFLASHBACK_HOME moves all of them into one folder.')
    .action(async () => {
      const { folders, output } = context;
      const { identityFolder, settings } = await loadSettings(context);
      const paths = {
        config: configFileOf(folders),
        identity: identityFolder,
        data: folders.data,
        cache: folders.cache,
        log: folders.log,
        localApi: join(folders.data, localApiAccessFileName),
        relay: join(folders.data, 'relay'),
        ...(settings.fileRootDirectory !== undefined && { house: settings.fileRootDirectory }),
      };
      output.object(paths);
      for (const [name, path] of Object.entries(paths)) output.line(`${name.padEnd(9)} ${path}`);
    });
}
