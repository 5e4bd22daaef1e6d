import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomically } from '../../util/atomic-file.ts';
import { errorCode } from '../../util/error-code.ts';

const MemorySchema = z.object({
  /** The folder that the marker belongs to. */
  folder: z.string(),
  /** Which folder it was, to notice that its disk is not mounted. */
  marker: z.object({ dev: z.string(), ino: z.string(), isMountPoint: z.boolean() }).optional(),
  /** Where the house listened. */
  port: z.int().min(1).max(65_535).optional(),
  /** False after `flashback share off`. */
  isSharing: z.boolean(),
});

/** What the daemon remembers of its house from one run to the next. */
export type HouseMemory = z.infer<typeof MemorySchema>;

const fileName = 'house.json';

/** The memory of `folder`, or a fresh one when there is none or it is of another folder. */
export async function readHouseMemory(dataFolder: string, folder: string): Promise<HouseMemory> {
  const fresh = { folder, isSharing: true };
  let text: string;
  try {
    text = await readFile(join(dataFolder, fileName), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return fresh;
    throw error;
  }
  const parsed = MemorySchema.safeParse(JSON.parse(text));
  if (!parsed.success) throw new Error(`Cannot read ${join(dataFolder, fileName)}: delete it to start anew`);
  if (parsed.data.folder === folder) return parsed.data;
  const { isSharing, port } = parsed.data;
  return { folder, isSharing, ...(port !== undefined && { port }) };
}

export function writeHouseMemory(dataFolder: string, memory: HouseMemory): Promise<void> {
  return writeFileAtomically(join(dataFolder, fileName), `${JSON.stringify(memory, undefined, 2)}\n`);
}
