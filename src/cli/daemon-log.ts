import { mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { privateFileMode, privateFolderMode } from '../util/atomic-file.ts';
import type { CommandContext } from './context.ts';

/** Months of an ordinary daemon. At the start a longer log becomes `daemon.log.1`, in place of the one before. */
const logBytesMax = 10_000_000;

/**
 * The daemon's log: one JSON object a line to stderr for a service manager or a script to keep; into a file when stderr
 * is a terminal, where it would bury what the person should read.
 */
export function openDaemonLog(
  level: string,
  { output, folders }: Pick<CommandContext, 'output' | 'folders'>,
): { log: pino.Logger; file: string | undefined } {
  if (output.stderr.isTTY !== true)
    return { log: pino({ level, base: null }, pino.destination({ dest: 2, sync: true })), file: undefined };
  const file = join(folders.log, 'daemon.log');
  mkdirSync(folders.log, { recursive: true, mode: privateFolderMode });
  rotate(file);
  return { log: pino({ level }, pino.destination({ dest: file, mode: privateFileMode, sync: true })), file };
}

function rotate(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found !== undefined && found.size > logBytesMax) renameSync(file, `${file}.1`);
}
