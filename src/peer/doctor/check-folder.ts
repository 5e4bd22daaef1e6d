import { opendir, stat } from 'node:fs/promises';
import { errorCode } from '../../util/error-code.ts';
import type { Finding, Status } from '../../wire/local-api.ts';
import { failure, fine, reasonOf, warning } from './finding.ts';

const check = 'house';
const advice =
  'Mount its disk or bring the folder back; or share another: flashback config set fileRootDirectory FOLDER';

/** By the daemon's word while it runs, which remembers which folder it was; else by looking. */
export async function checkFolder(
  folder: string | undefined,
  house: Status['house'] | undefined,
): Promise<Finding> {
  if (folder === undefined)
    return warning(check, {
      code: 'folder_away',
      message: 'You share no folder',
      advice: 'Choose one: flashback config set fileRootDirectory FOLDER',
    });
  if (house?.state === 'away')
    return failure(check, {
      code: 'folder_away',
      message: `The folder you share is away: ${house.reason ?? folder}`,
      advice,
    });
  if (house?.state === 'off')
    return fine(check, `${folder} is there; sharing is switched off (flashback share on)`);
  return look(folder);
}

async function look(folder: string): Promise<Finding> {
  try {
    const found = await stat(folder);
    if (!found.isDirectory())
      return failure(check, { code: 'folder_away', message: `${folder} is not a folder`, advice });
    // Being allowed to see a folder is not being allowed to read it.
    await (await opendir(folder)).close();
    return fine(check, `${folder} is there`);
  } catch (error) {
    const isMissing = errorCode(error) === 'ENOENT';
    const message = isMissing
      ? `The folder you share does not exist: ${folder}`
      : `The folder you share cannot be read: ${reasonOf(error)}`;
    return failure(check, { code: 'folder_away', message, advice });
  }
}
