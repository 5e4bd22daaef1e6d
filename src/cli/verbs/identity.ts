import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  exportFromFolder,
  type IdentityCard,
  importArchive,
  readIdentityCard,
} from '../../peer/identity-transfer.ts';
import { loadSettings } from '../../peer/settings/load-settings.ts';
import { writeFileAtomically } from '../../util/atomic-file.ts';
import { errorCode } from '../../util/error-code.ts';
import { pathExists } from '../../util/path-exists.ts';
import { ExportResponseSchema, localApiPaths } from '../../wire/local-api.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { DaemonClient } from '../daemon-client.ts';
import { asDefault } from '../default-command.ts';
import { readPassphrase } from '../passphrase.ts';
import { formatLocalTime } from '../render/quantities.ts';

interface TransferOptions {
  readonly passphraseFile?: string;
  readonly force?: boolean;
  readonly replace?: boolean;
}

const jsonFlag = ['--json', 'print one line of JSON'] as const;
const passphraseFlag = ['--passphrase-file <file>', 'its first line is the passphrase'] as const;

export function declareIdentity(command: Command, context: CommandContext): void {
  command.option(...jsonFlag).addHelpText(
    'after',
    `
An archive holds your key, your certificate and your friends, encrypted under a passphrase of at least ten characters;
settings, such as the relay, it does not.
The passphrase is asked for on a terminal, and else read from --passphrase-file or the first line of stdin.

Examples:
  flashback identity
  flashback identity export me.flashback
  flashback identity import me.flashback       on the new machine`,
  );
  const showing = command
    .command('show', { isDefault: true })
    .description('who you are: fingerprint and safety words')
    .option(...jsonFlag);
  asDefault(showing, async () => show(await readIdentityCard(context), context));
  command
    .command('export <file>')
    .description('write an encrypted archive of identity and friends')
    .option(...passphraseFlag)
    .option('-f, --force', 'replace the file if it is there')
    .option(...jsonFlag)
    .action((file: string, options: TransferOptions) => exportTo(file, options, context));
  command
    .command('import <file>')
    .description('become who the archive says')
    .option(...passphraseFlag)
    .option('--replace', 'in the place of an identity that is there, which is kept beside it')
    .option(...jsonFlag)
    .action((file: string, options: TransferOptions) => importFrom(file, options, context));
}

function show(card: IdentityCard, { output }: CommandContext): void {
  output.object(card);
  output.line(card.email);
  output.line(`  fingerprint   ${card.fingerprint}`);
  output.line(`  safety words  ${card.safetyWords.join(' ')}`);
  output.line(`  valid until   ${formatLocalTime(card.validUntil)}`);
  output.line(`  folder        ${card.folder}`);
}

async function exportTo(
  file: string,
  { passphraseFile, force }: TransferOptions,
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const path = resolve(context.currentDirectory, file);
  if (force !== true && (await pathExists(path)))
    throw new CommandError('exists', `${path} is there already`, { advice: 'Replace it with --force' });
  const { email } = await readIdentityCard(context);
  const passphrase = await readPassphrase(context, {
    ...(passphraseFile !== undefined && { file: passphraseFile }),
    isNew: true,
  });
  await writeFileAtomically(path, await makeArchive(passphrase, context));
  output.result(`${path} holds ${email} now. Keep it and the passphrase in different places.`, {
    event: 'exported',
    email,
    path,
  });
}

/** The daemon holds the friends while it runs; else they are read from its folder. */
async function makeArchive(passphrase: string, context: CommandContext): Promise<string> {
  try {
    const daemon = await DaemonClient.open(context);
    const { archive } = await daemon.ask(ExportResponseSchema, {
      method: 'POST',
      path: localApiPaths.export,
      body: { passphrase },
    });
    return archive;
  } catch (error) {
    if (!(error instanceof CommandError) || error.code !== 'daemon_not_running') throw error;
    return exportFromFolder(context, passphrase);
  }
}

async function importFrom(
  file: string,
  { passphraseFile, replace }: TransferOptions,
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const archive = await readArchive(resolve(context.currentDirectory, file));
  const passphrase = await readPassphrase(context, {
    ...(passphraseFile !== undefined && { file: passphraseFile }),
    isNew: false,
  });
  const { card, ...result } = await importArchive({
    ...context,
    archive,
    passphrase,
    isReplacing: replace ?? false,
  });
  if (output.isJson) {
    output.object({ event: 'imported', ...card, ...result });
    return;
  }
  show(card, context);
  output.line(
    `  friends       ${result.friendsImported} taken over, ${result.friendsKept} were here already`,
  );
  if (result.backupFolder !== undefined) output.line(`  replaced      kept in ${result.backupFolder}`);
  output.note('\nUse it on one machine at a time: stop Flashback on the old one.');
  await tellNextSteps(context);
}

/** An archive holds no settings: those of the old machine may be wrong here. */
async function tellNextSteps(context: CommandContext): Promise<void> {
  const { relayTrackerUrl, fileRootDirectory } = (await loadSettings(context)).settings;
  const { output } = context;
  if (relayTrackerUrl === undefined)
    output.note('No relay is set here: flashback config set relayTrackerUrl URL');
  if (fileRootDirectory === undefined)
    output.note('No folder is shared here: flashback config set fileRootDirectory FOLDER');
}

async function readArchive(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const isMissing = errorCode(cause) === 'ENOENT';
    const reason = isMissing ? 'it does not exist' : String(cause instanceof Error ? cause.message : cause);
    throw new CommandError(isMissing ? 'not_found' : 'failed', `Cannot read ${path}: ${reason}`, { cause });
  }
}
