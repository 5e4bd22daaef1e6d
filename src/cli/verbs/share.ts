import { Argument, type Command } from 'commander';
import { printable } from '../../util/printable.ts';
import { HouseStateSchema, localApiPaths, StatusSchema } from '../../wire/local-api.ts';
import type { CommandContext } from '../context.ts';
import { DaemonClient } from '../daemon-client.ts';

export function declareShare(command: Command, context: CommandContext): void {
  command
    .addArgument(
      new Argument('[what]', 'on, off or status').choices(['on', 'off', 'status']).default('status'),
    )
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nOff closes your house to every visitor until you switch it on again; you stay reachable.',
    )
    .action(async (what: string) => {
      const { output } = context;
      const daemon = await DaemonClient.open(context);
      const house =
        what === 'status'
          ? (await daemon.ask(StatusSchema, { path: localApiPaths.status })).house
          : await daemon.ask(HouseStateSchema, {
              method: 'PUT',
              path: localApiPaths.share,
              body: { sharing: what === 'on' },
            });
      output.object(house);
      const reason = house.reason === undefined ? '' : `: ${printable(house.reason)}`;
      output.line(`${house.state}  ${printable(house.folder)}${reason}`);
    });
}
