import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { loadSettings } from '../../peer/settings/load-settings.ts';
import { printable } from '../../util/printable.ts';
import { nameRefusal } from '../../wire/house-path.ts';
import {
  type DownloadEvent,
  DownloadEventSchema,
  type DownloadRequest,
  localApiPaths,
} from '../../wire/local-api.ts';
import { CommandError, usageError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { DaemonClient } from '../daemon-client.ts';
import { formatHouseTarget, type HouseTarget, parseHouseTarget, targetName } from '../house-target.ts';
import type { Output } from '../output.ts';
import { ProgressBar } from '../render/progress-bar.ts';
import { formatBytes, formatCount, formatSeconds } from '../render/quantities.ts';
import { withVisitAdvice } from '../visit-advice.ts';

interface GetOptions {
  readonly output?: string;
  readonly recursive?: boolean;
  readonly force?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** A house reads a large file once before it answers for its blocks. */
const headTimeoutMs = 600_000;

export function declareGet(command: Command, context: CommandContext): void {
  command
    .argument('<place>', 'whose house and which file: anna@example.com:/photos/cat.jpg')
    .option(
      '-o, --output <file>',
      'where to write; a folder that exists takes a file in, one that ends in / also a folder',
    )
    .option('-r, --recursive', 'a folder with all that is in it')
    .option('-f, --force', 'replace what is there')
    .option('-q, --quiet', 'no progress')
    .option('--json', 'print progress and result as lines of JSON')
    .addHelpText(
      'after',
      `
Every byte is verified before the file gets its name. Interrupted? Run the same again: what was verified is kept.

Examples:
  flashback get anna@example.com:/film.mkv
  flashback get anna@example.com:/photos -r -o ~/Pictures/from-anna`,
    )
    .action((place: string, options: GetOptions) => {
      const target = parseHouseTarget(place);
      return withVisitAdvice(target.peer, () => download(target, options, context));
    });
}

async function download(target: HouseTarget, options: GetOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  const recursive = options.recursive ?? false;
  if (target.path === '' && !recursive)
    throw usageError(
      `${formatHouseTarget(target)} is a whole house`,
      'Name a file in it, or take everything with -r',
    );
  const request: DownloadRequest = {
    peer: target.peer,
    path: target.path,
    target: await chooseTarget(target, options, context),
    overwrite: options.force ?? false,
    recursive,
  };
  const daemon = await DaemonClient.open(context);
  // The download is what counts: it goes on when the reader of the progress lines has left.
  output.onPipeClosed(undefined);
  const bar = new ProgressBar(output.stderr, { isQuiet: (options.quiet ?? false) || output.isJson });
  const startedMs = performance.now();
  try {
    const events = daemon.events(DownloadEventSchema, {
      method: 'POST',
      path: localApiPaths.downloads,
      body: request,
      timeoutMs: headTimeoutMs,
    });
    for await (const event of events) {
      if (event.event === 'failed')
        throw new CommandError(event.code, event.error, failureAdvice(event.code));
      output.object(event);
      if (event.event === 'progress') bar.update({ ...event, name: printable(event.path) });
      else tell(event, { bar, output, seconds: (performance.now() - startedMs) / 1000 });
      if (event.event === 'done') return;
    }
    throw new CommandError('failed', 'The daemon ended the download without a word: did it stop?');
  } catch (error) {
    bar.clear();
    if (context.interrupted.aborted)
      output.note('Stopped. What was verified is kept: run the same again to go on from there.');
    throw error;
  } finally {
    bar.clear();
  }
}

/**
 * Where to write, absolute: as `-o` says, else the file's own name in the download folder or the current one. A folder
 * that exists takes a file in, but not a folder: the second run of an interrupted `-r` would not find what the first wrote.
 */
export async function chooseTarget(
  target: HouseTarget,
  { output, recursive }: Pick<GetOptions, 'output' | 'recursive'>,
  context: Pick<CommandContext, 'folders' | 'environment' | 'currentDirectory'>,
): Promise<string> {
  const name = targetName(target) ?? target.peer;
  if (output !== undefined) {
    const path = resolve(context.currentDirectory, output);
    const takesIn = /[\\/]$/.test(output) || (recursive !== true && (await isFolder(path)));
    return takesIn ? join(path, localName(name)) : path;
  }
  const { settings } = await loadSettings(context);
  return join(settings.downloadDirectory ?? context.currentDirectory, localName(name));
}

/** The name comes from a command line, perhaps pasted from somewhere: it must not lead out of the folder. */
function localName(name: string): string {
  const refusal = nameRefusal(name);
  if (refusal === undefined) return name;
  throw usageError(`The file's own name cannot be used here: it is or has ${refusal}`, 'Choose one with -o');
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}

interface Telling {
  readonly bar: ProgressBar;
  readonly output: Output;
  readonly seconds: number;
}

function tell(event: DownloadEvent, { bar, output, seconds }: Telling): void {
  switch (event.event) {
    case 'resumed':
      bar.clear();
      output.note(`Going on after ${formatBytes(event.bytes)} of ${printable(event.path)} that are verified`);
      return;
    case 'restarted':
      bar.clear();
      output.note(
        `${printable(event.path)}: ${printable(event.reason)}; going on from ${formatBytes(event.bytes)}`,
      );
      return;
    case 'skipped':
      // Whoever goes on with a folder has most of it: the last line counts them.
      if (event.code === 'here_already') return;
      bar.clear();
      output.note(skippedLine(event));
      return;
    case 'done':
      bar.clear();
      output.line(doneLine(event, seconds));
      for (const line of notFetchedLines(event)) output.line(line);
      return;
    default:
  }
}

function skippedLine({
  path,
  code,
  reason,
  count = 1,
}: Extract<DownloadEvent, { event: 'skipped' }>): string {
  if (code !== 'omitted') return `Left out ${printable(path)}: ${printable(reason)}`;
  const were = count === 1 ? 'was' : 'were';
  return `${formatCount(count)} in ${printable(path)}/ ${were} left out: ${printable(reason)}`;
}

function notFetchedLines({
  hereAlready = 0,
  leftOut = 0,
}: Extract<DownloadEvent, { event: 'done' }>): string[] {
  const were = (count: number): string => `${formatCount(count)} ${count === 1 ? 'was' : 'were'}`;
  return [
    ...(hereAlready > 0 ? [`${were(hereAlready)} here already`] : []),
    ...(leftOut > 0 ? [`${were(leftOut)} left out, as said above`] : []),
  ];
}

function doneLine(event: Extract<DownloadEvent, { event: 'done' }>, seconds: number): string {
  const files = event.files === undefined ? '' : `, ${formatCount(event.files)} files`;
  const way = event.via === 'direct' ? 'directly' : 'through the relay';
  const hash = event.sha256 === undefined ? '' : `\nsha256 ${event.sha256}`;
  return `${printable(event.path)}: ${formatBytes(event.bytes)}${files} in ${formatSeconds(seconds)}, ${way}, verified${hash}`;
}

function failureAdvice(code: string): { readonly advice?: string } {
  return code === 'exists' ? { advice: 'Replace it with --force, or choose another name with -o' } : {};
}
