import { type FileHandle, lstat } from 'node:fs/promises';
import { errorCode } from '../../util/error-code.ts';
import { type HeldPath, type PathHolder, segmentsWithin } from '../../util/platform/handle-path.ts';
import { nameRefusal } from '../../wire/house-path.ts';
import { refusalOfError } from './errno-refusal.ts';
import { isProgram } from './program-names.ts';
import { isRefusal, notFound, type Refusal, refuse } from './refusal.ts';
import { isPathShown, type Visibility } from './visibility.ts';

/** A file or folder in the house, held open. Whoever opened it disposes it. */
export interface HouseItem extends AsyncDisposable {
  /** The way that the visitor took, from the top; empty for the house itself. */
  readonly segments: readonly string[];
  /** Where it really is; differs from `segments` when a link was on the way. */
  readonly realSegments: readonly string[];
  readonly held: HeldPath;
  readonly isFolder: boolean;
}

/** The house as one request sees it. */
export interface HouseView {
  readonly root: HouseItem;
  readonly hold: PathHolder;
  readonly visibility: Visibility;
  readonly allowPrograms: boolean;
}

/**
 * The one way to anything in the house, for every route: opens what `names` (each accepted by house-path.ts) lead to from
 * `from`, and decides on what was opened, never on a path: it must lie in the house, be a file or a folder, and be
 * shown both under the name it was asked by and under the one it really has.
 *
 * Links are followed, because people use them inside their folders; one that leads out is as good as missing. Two ways round
 * are beyond a file server: a hard link to a file outside *is* that file, and what the owner mounts into the folder is in it.
 */
export async function openInside(
  view: HouseView,
  from: HouseItem,
  names: readonly string[],
): Promise<HouseItem | Refusal> {
  const asked = [...from.segments, ...names];
  // Before the disk is touched: the time of the answer tells nothing about what is hidden.
  if (!isPathShown(view.visibility, asked, false)) return notFound('hidden');
  const exact = await openExactly(view, from, names);
  if (!isMissing(exact)) return exact;
  const spelled = await spellAsOnDisk(from.held, names);
  return spelled === undefined ? exact : openExactly(view, from, spelled);
}

/** Why `item` is not handed out as a file, if it is not. */
export function refuseAsFile(view: HouseView, item: HouseItem): Refusal | undefined {
  if (item.isFolder) return refuse(400, 'this is a folder: ask /api/files or /archive for it');
  if (view.allowPrograms) return undefined;
  return isProgram(item.segments) || isProgram(item.realSegments)
    ? refuse(403, 'this house does not hand out programs')
    : undefined;
}

/** Opens the item's bytes; the caller closes the handle. */
export async function openForReading(item: HouseItem): Promise<FileHandle | Refusal> {
  try {
    return await item.held.openFile();
  } catch (error) {
    return expected(error);
  }
}

/** The refusal that an error of the system stands for; any other error is thrown again. */
function expected(error: unknown): Refusal {
  const refusal = refusalOfError(error);
  if (refusal === undefined) throw error;
  return refusal;
}

async function openExactly(
  view: HouseView,
  from: HouseItem,
  names: readonly string[],
): Promise<HouseItem | Refusal> {
  let held: HeldPath;
  try {
    held = await view.hold([from.held.handlePath, ...names].join('/'));
  } catch (error) {
    return expected(error);
  }
  const decided = decide(view, [...from.segments, ...names], held);
  if (isRefusal(decided)) await held[Symbol.asyncDispose]();
  return decided;
}

function decide(view: HouseView, segments: readonly string[], held: HeldPath): HouseItem | Refusal {
  const realSegments = segmentsWithin(view.root.held, held);
  if (realSegments === undefined) return notFound('outside');
  const isFolder = held.stats.isDirectory();
  if (!isFolder && !held.stats.isFile()) return notFound('special');
  if (!isPathShown(view.visibility, segments, isFolder)) return notFound('hidden');
  if (!isPathShown(view.visibility, realSegments, isFolder)) return notFound('hidden');
  return { segments, realSegments, held, isFolder, [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() };
}

function isMissing(result: HouseItem | Refusal): boolean {
  return isRefusal(result) && result.cause === 'missing';
}

/**
 * The same names as they are spelled on this disk, when they differ in Unicode form only: a Mac asks in NFD for what Linux keeps in
 * NFC. The exact name goes first, then the one of the two forms that exists; when both do it is anybody's guess, and the
 * answer stays "not found". Undefined when there is nothing else to try.
 */
async function spellAsOnDisk(from: HeldPath, names: readonly string[]): Promise<string[] | undefined> {
  if (names.every((name) => name.normalize('NFC') === name.normalize('NFD'))) return undefined;
  const spelled: string[] = [];
  for (const name of names) {
    const folder = [from.handlePath, ...spelled].join('/');
    const spelling = await spellingIn(folder, name);
    if (spelling === undefined) return undefined;
    spelled.push(spelling);
  }
  return spelled;
}

async function spellingIn(folder: string, name: string): Promise<string | undefined> {
  if (await exists(`${folder}/${name}`)) return name;
  const others = [...new Set([name.normalize('NFC'), name.normalize('NFD')])].filter(
    (other) => other !== name,
  );
  const found: string[] = [];
  for (const other of others) {
    if (nameRefusal(other) === undefined && (await exists(`${folder}/${other}`))) found.push(other);
  }
  return found.length === 1 ? found[0] : undefined;
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) !== undefined) return false;
    throw error;
  }
}
