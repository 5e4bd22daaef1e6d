import { randomBytes } from 'node:crypto';
import { lstat, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../util/error-code.ts';

/** Windows keeps these for itself; what no system can hold, `house-path.ts` refuses already. */
const windowsForbidden = /[<>"|?*]/;

/** Why this system cannot hold a file of this name, or undefined when it can. */
export function unfitName(name: string, platform: NodeJS.Platform = process.platform): string | undefined {
  if (platform === 'win32' && windowsForbidden.test(name))
    return 'Windows cannot hold a name with one of < > " | ? *';
  return undefined;
}

/** One form for all spellings that some file system takes for the same name (letter case; NFC and NFD). */
export function foldName(name: string): string {
  return name.normalize('NFD').toUpperCase().toLowerCase().normalize('NFC');
}

/**
 * Whether the file system at `folder` takes different spellings for one name. It is found out by making a file and
 * asking for it otherwise spelt: macOS, Windows, memory sticks and network shares differ even on one machine.
 */
export async function foldsNames(folder: string): Promise<boolean> {
  const stem = join(folder, `.flashback-${randomBytes(6).toString('hex')}`);
  const probe = `${stem}-a\u00e9`;
  const file = await open(probe, 'wx', 0o600);
  try {
    await file.close();
    return (await isThere(`${stem}-A\u00e9`)) || (await isThere(`${stem}-ae\u0301`));
  } finally {
    await rm(probe, { force: true });
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
