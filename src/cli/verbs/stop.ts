import type { Command } from 'commander';
import { z } from 'zod';
import { localApiPaths } from '../../wire/local-api.ts';
import type { CommandContext } from '../context.ts';
import { DaemonClient } from '../daemon-client.ts';

export function declareStop(command: Command, context: CommandContext): void {
  command.option('--json', 'print one line of JSON').action(async () => {
    const daemon = await DaemonClient.open(context);
    await daemon.ask(z.unknown(), { method: 'POST', path: localApiPaths.stop });
    context.output.result('Flashback is stopping', { event: 'stopping' });
  });
}
