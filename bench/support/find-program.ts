import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Where servers live that an ordinary user's PATH does not hold, on Debian for one. */
const systemFolders = ['/usr/sbin', '/usr/local/sbin'];

/** The path of an installed program, or `undefined`. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), ...systemFolders];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
