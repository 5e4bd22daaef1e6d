import { readdir, readlink } from 'node:fs/promises';

/** Files and folders below `base` that this process holds open; none where the system does not tell. */
export async function openFilesBelow(base: string): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  const places = await Promise.all(
    // One that closed in between is not open.
    (await readdir('/proc/self/fd')).map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')),
  );
  return places.filter((place) => place.startsWith(base));
}
