import type { Command } from 'commander';
import { printable } from '../../util/printable.ts';
import {
  type HouseEntry,
  type HouseListing,
  HouseListingSchema,
  listingLimitDefault,
  listingLimitMax,
} from '../../wire/house-http.ts';
import { localApiPaths } from '../../wire/local-api.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { DaemonClient } from '../daemon-client.ts';
import { formatHouseTarget, type HouseTarget, parseHouseTarget, targetName } from '../house-target.ts';
import type { Output } from '../output.ts';
import { formatBytes, formatCount, formatLocalTime } from '../render/quantities.ts';
import { withVisitAdvice } from '../visit-advice.ts';

/** Wide enough for `999.9 MB`. */
const sizeWidth = 8;
/** A page may be empty (everything on it is hidden); a folder of nothing but such pages is made up. */
const emptyPagesMax = 1000;

export function declareLs(command: Command, context: CommandContext): void {
  command
    .argument('<place>', 'whose house and which folder or file: anna@example.com:/photos')
    .option('--json', 'print one line of JSON an entry')
    .addHelpText(
      'after',
      `
Examples:
  flashback ls anna@example.com
  flashback ls "anna@example.com:/holiday photos" --json | jq -r .name`,
    )
    .action((place: string) => {
      const target = parseHouseTarget(place);
      return withVisitAdvice(target.peer, () => list(target, context));
    });
}

async function list(target: HouseTarget, context: CommandContext): Promise<void> {
  const { output } = context;
  const daemon = await DaemonClient.open(context);
  try {
    await listFolder(daemon, target, output);
  } catch (error) {
    // A house does not list a file, and says so only in words.
    const isRefused = error instanceof CommandError && error.code === 'bad_request';
    const file = isRefused ? await findFile(daemon, target) : undefined;
    if (file === undefined) throw error;
    output.result(renderEntry(file, output), jsonEntry(file));
  }
}

async function listFolder(daemon: DaemonClient, target: HouseTarget, output: Output): Promise<void> {
  let shown = 0;
  let omitted = 0;
  for await (const page of pagesOf(daemon, target)) {
    // One write a page, not one an entry.
    output.stdout.cork();
    for (const entry of page.entries) output.result(renderEntry(entry, output), jsonEntry(entry));
    output.stdout.uncork();
    shown += page.entries.length;
    omitted += page.omitted ?? 0;
  }
  if (shown === 0) output.note(`${formatHouseTarget(target)} is empty`);
  if (omitted > 0)
    output.note(`${formatCount(omitted)} more cannot be visited: their names or kinds do not travel`);
}

/** The file at `target` as the folder above lists it; undefined when there is none, or that cannot be listed either. */
async function findFile(daemon: DaemonClient, target: HouseTarget): Promise<HouseEntry | undefined> {
  const name = targetName(target);
  if (name === undefined) return undefined;
  const folder = { ...target, path: target.path.slice(0, -name.length).replace(/\/$/, '') };
  try {
    for await (const { entries } of pagesOf(daemon, folder)) {
      const entry = entries.find((each) => each.name === name);
      if (entry !== undefined) return entry.type === 'file' ? entry : undefined;
    }
  } catch (error) {
    // What the first request failed with is the news.
    if (!(error instanceof CommandError) || error.code === 'interrupted') throw error;
  }
  return undefined;
}

/** @throws {CommandError} for pages that nobody reads to their end: a house can make them up. */
async function* pagesOf(daemon: DaemonClient, target: HouseTarget): AsyncGenerator<HouseListing> {
  const { peer, path } = target;
  let after: string | undefined;
  let emptyPages = 0;
  do {
    // The first lines are there at once; after that the fewest requests, for a house looks through the folder for each.
    const limit = after === undefined ? listingLimitDefault : listingLimitMax;
    const page = await daemon.ask(HouseListingSchema, {
      path: localApiPaths.files,
      query: { peer, path, limit: String(limit), after },
    });
    yield page;
    emptyPages = page.entries.length === 0 ? emptyPages + 1 : 0;
    if (emptyPages > emptyPagesMax || (page.next !== undefined && page.next === after))
      throw new CommandError('failed', `The pages of ${formatHouseTarget(target)} never end`);
    after = page.next;
  } while (after !== undefined);
}

function jsonEntry({ name, type, size, modified, ...rest }: HouseEntry): object {
  return { name, type, size, modified, ...rest };
}

/** `  1.2 MB  2026-03-01 14:05  name`, folders with a slash and no size. */
export function renderEntry(entry: HouseEntry, output: Pick<Output, 'paint'>): string {
  const { type, size, modified, target } = entry;
  const isFolder = type === 'directory';
  const figures = `${(isFolder ? '-' : formatBytes(size)).padStart(sizeWidth)}  ${formatLocalTime(modified)}`;
  const name = printable(entry.name);
  const shown = isFolder ? `${output.paint('cyan', name)}/` : name;
  const leads = target === undefined ? '' : ` -> ${printable(`/${target}`)}`;
  return `${figures}  ${shown}${leads}${entry.isProgram === true ? '  (program: not handed out)' : ''}`;
}
