import { randomBytes } from 'node:crypto';
import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Only the owner reads and writes. */
export const privateFileMode = 0o600;
/** Only the owner enters. */
export const privateFolderMode = 0o700;

/** Makes a folder (and those above it) that only the owner enters; one that is there keeps its mode. */
export async function makePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: privateFolderMode });
}

/**
 * Writes a whole file or nothing: to a temporary name beside it, flushed, then renamed. A reader sees the old
 * content or the new one, and a crash leaves the old one. A symbolic link is replaced, not followed.
 */
export function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  mode: number = privateFileMode,
): Promise<void> {
  return putInPlace(path, content, mode, (temporary) => rename(temporary, path));
}

/** The same for a file that must not be there yet: rejects with `EEXIST` when it is, whoever was first. */
export function createFileAtomically(
  path: string,
  content: string | Uint8Array,
  mode: number = privateFileMode,
): Promise<void> {
  return putInPlace(path, content, mode, async (temporary) => {
    await link(temporary, path);
    await rm(temporary);
  });
}

async function putInPlace(
  path: string,
  content: string | Uint8Array,
  mode: number,
  giveName: (temporary: string) => Promise<void>,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await giveName(temporary);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await flushFolder(folder);
}

/** Makes names given in a folder (by a rename, a link) durable. Windows cannot open a folder for this, and does not need it. */
export async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
