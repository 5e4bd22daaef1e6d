import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import pino from 'pino';
import { usageError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { type RelayFlags, type RelaySettings, readRelaySettings, relayOptions } from '../relay-settings.ts';
import { stopInTime, stopSignals } from '../stop-signals.ts';

type RelayCommandOptions = RelayFlags & { readonly json?: boolean };

export function declareRelay(command: Command, context: CommandContext): void {
  for (const { flag, meaning } of Object.values(relayOptions)) command.option(flag, meaning);
  command
    .option('--json', 'print one line of JSON when it listens')
    .addHelpText(
      'after',
      `
Every option can stand in the environment: --tls-cert is FLASHBACK_RELAY_TLS_CERT_PATH or TLS_CERT_PATH; likewise PORT,
DATABASE_URL, TLS_KEY_PATH, LOG_LEVEL and RATE_LIMIT_MAX_REQUESTS. The log goes to stderr, one JSON object a line.

Examples:
  flashback relay --public-host relay.example.com
  DATABASE_URL=postgres://… flashback relay --port 443 --tls-cert full.pem --tls-key key.pem
  flashback relay backup /backups/relay.sqlite`,
    )
    .action((options: RelayCommandOptions) => runRelayCommand(options, context));
  command
    .command('backup <file>')
    .description('copy the SQLite database of a relay, running or not, to a new file')
    .option('--data <folder>', "the relay's data folder")
    .option('--json', 'print the result as a line of JSON')
    .addHelpText(
      'after',
      `
To restore, put the copy as relay.sqlite into a data folder and start the relay with it. The relay's certificate is not in
the copy: keep relay.key and relay.crt as well, for the URLs that people have name it.`,
    )
    .action((file: string, _options: unknown, backup: Command) =>
      backUp(resolve(context.currentDirectory, file), backup.optsWithGlobals(), context),
    );
}

async function backUp(target: string, flags: RelayFlags, context: CommandContext): Promise<void> {
  const { settings } = readSettings(flags, context);
  if (settings.databaseUrl !== undefined)
    throw usageError('This relay keeps its data in PostgreSQL', 'Back it up with pg_dump');
  const { backupRelay } = await import('../../relay/backup-relay.ts');
  await backupRelay(settings.dataFolder, target);
  context.output.result(`Backed up to ${target}`, { event: 'backup', path: target });
}

async function runRelayCommand(options: RelayCommandOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  const { settings, warnings } = readSettings(options, context);
  for (const warning of warnings) output.warning(warning);
  // A relay serves on when the reader of its first line has left.
  output.onPipeClosed(undefined);
  using signals = stopSignals(context);
  const { runRelay } = await import('../../relay/run-relay.ts');
  const { addressPerMinute, clientPerSecond, logLevel, ...rest } = settings;
  const log = pino({ level: logLevel, base: null }, pino.destination({ dest: 2, sync: true }));
  const relay = await runRelay({
    ...rest,
    rateLimits: {
      ...(addressPerMinute !== undefined && { addressPerMinute }),
      ...(clientPerSecond !== undefined && { clientPerSecond, clientBurst: 10 * clientPerSecond }),
    },
    log,
  });
  const onHangUp = (): void => {
    relay
      .reloadCertificate()
      .catch((error: unknown) =>
        log.error({ err: error }, 'cannot read the certificate again: the old one stays'),
      );
  };
  process.on('SIGHUP', onHangUp);
  try {
    output.object({
      event: 'listening',
      url: relay.url,
      port: relay.port,
      ...(relay.httpPort !== undefined && { httpPort: relay.httpPort }),
    });
    output.line(`Relay is listening on port ${relay.port}. Give people this URL:\n\n  ${relay.url}\n`);
    if (settings.publicHost === undefined)
      output.note(
        'Others reach it by the name of this machine: start it with --public-host NAME to print that one.',
      );
    await signals.stopped;
  } finally {
    process.removeListener('SIGHUP', onHangUp);
    await stopInTime(context, async () => relay[Symbol.asyncDispose]());
  }
}

function readSettings(
  flags: RelayFlags,
  { environment, currentDirectory, folders }: CommandContext,
): { settings: RelaySettings; warnings: string[] } {
  return readRelaySettings(flags, {
    environment,
    currentDirectory,
    dataFolderDefault: join(folders.data, 'relay'),
  });
}
