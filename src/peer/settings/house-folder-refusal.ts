import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';

/**
 * Why `house` must not be shared, or undefined when it may: a house that holds the private key, or is inside its
 * folder, would hand it to every visitor. Links on either side are followed first.
 *
 * @param secretFolders absolute paths of folders that hold keys, tokens or friends.
 */
export async function houseFolderRefusal(
  house: string,
  secretFolders: Readonly<{ identity: string; others: readonly string[] }>,
): Promise<string | undefined> {
  const root = await realPathOfMaybeMissing(house);
  const identity = await realPathOfMaybeMissing(secretFolders.identity);
  if (isInside(root, identity))
    return `The folder ${house} cannot be shared: it is the folder of your private key`;
  for (const secret of [identity, ...(await Promise.all(secretFolders.others.map(realPathOfMaybeMissing)))]) {
    if (isInside(secret, root))
      return `The folder ${house} cannot be shared: it contains ${secret}, where your private key and friends are kept. Share a folder inside it`;
  }
  return undefined;
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (!isAbsolute(way) && way !== '..' && !/^\.\.[\\/]/.test(way));
}

/** The real path of the part that exists, and the rest as it is written. */
async function realPathOfMaybeMissing(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    if (parent === path || !(error instanceof Error)) return path;
    return join(await realPathOfMaybeMissing(parent), basename(path));
  }
}
