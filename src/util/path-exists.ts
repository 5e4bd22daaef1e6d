import { stat } from 'node:fs/promises';
import { errorCode } from './error-code.ts';

/** Whether something is at `path`, links followed. Rejects when that cannot be told (no permission, a broken disk). */
export async function pathExists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
