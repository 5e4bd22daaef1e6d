import { type HouseEntry, type HouseListing, listingLimitMax } from '../../wire/house-http.ts';
import { pathRefusal } from '../../wire/house-path.ts';
import { folderEntries } from '../visit/folder-pages.ts';
import { DownloadError } from './download-error.ts';

/** More than people share in one folder; links that lead round in circles reach it, a home folder of a developer may. */
const walkEntriesMax = 1_000_000;

export interface HouseFile {
  /** In the house. */
  readonly path: string;
  readonly entry: HouseEntry;
}

/** Which part of a folder is asked for. */
export interface FolderPage {
  readonly limit: number;
  readonly after: string | undefined;
}

export interface Walk {
  readonly list: (path: string, page: FolderPage) => Promise<HouseListing>;
  /** Whether to go into a folder. */
  readonly enter: (path: string, entry: HouseEntry) => Promise<boolean>;
  /** Something is left out. */
  readonly onSkipped: (path: string, entry: HouseEntry, reason: string) => void;
  /** A folder holds so many things that the house does not name; told once a folder, at its end. */
  readonly onOmitted: (path: string, count: number) => void;
  /** A folder below the first cannot be listed: throws to end the walk, returns to go on without it. */
  readonly onUnlisted: (path: string, error: unknown) => void;
  /** Files and folders together; smaller in tests. */
  readonly entriesMax?: number;
}

interface Place {
  readonly path: string;
  /** Where it really is: a link's target. */
  readonly realPath: string;
  readonly realPathsAbove: readonly string[];
}

/** All files below a folder of a house, in its order, with one page of each folder on the way in memory. */
export async function* walkHouse(path: string, walk: Walk): AsyncGenerator<HouseFile> {
  const counter = { entries: 0 };
  yield* walkFolder({ path, realPath: path, realPathsAbove: [] }, walk, counter);
}

async function* walkFolder(
  place: Place,
  walk: Walk,
  counter: { entries: number },
): AsyncGenerator<HouseFile> {
  const { entriesMax = walkEntriesMax } = walk;
  const limit = pageLimit(place.realPathsAbove.length);
  const above = [...place.realPathsAbove, place.realPath];
  let omitted = 0;
  const listPage = async (after: string | undefined): Promise<HouseListing> => {
    const listing = await walk.list(place.path, { limit, after });
    omitted += listing.omitted ?? 0;
    return listing;
  };
  for await (const entry of folderEntries(place.path, listPage)) {
    counter.entries += 1;
    if (counter.entries > entriesMax)
      throw new DownloadError(
        'failed',
        `The folder holds over ${entriesMax} entries. Fetch the folders in it one by one`,
      );
    const path = below(place.path, entry.name);
    const refusal = pathRefusal(path);
    if (refusal !== undefined) {
      walk.onSkipped(path, entry, refusal);
    } else if (entry.type === 'file') {
      yield { path, entry };
    } else {
      const realPath = entry.target ?? below(place.realPath, entry.name);
      if (above.includes(realPath)) walk.onSkipped(path, entry, 'a link back to a folder that it lies in');
      else if (await walk.enter(path, entry))
        yield* walkChild({ path, realPath, realPathsAbove: above }, walk, counter);
    }
  }
  if (omitted > 0) walk.onOmitted(place.path, omitted);
}

async function* walkChild(place: Place, walk: Walk, counter: { entries: number }): AsyncGenerator<HouseFile> {
  try {
    yield* walkFolder(place, walk, counter);
  } catch (error) {
    walk.onUnlisted(place.path, error);
  }
}

/**
 * A house reads its whole folder for each page, so pages are large; but one of each folder on the way down is in memory.
 * Halving them at each step keeps the sum under 36,000 entries, however deep a hostile house goes.
 */
function pageLimit(depth: number): number {
  return Math.max(pageLimitMin, Math.floor(listingLimitMax / 2 ** depth));
}
const pageLimitMin = 250;

function below(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
