import { readFile } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { CommandError, usageError } from './command-error.ts';
import type { CommandContext } from './context.ts';

export interface PassphraseOptions {
  /** A file whose first line is the passphrase. */
  readonly file?: string;
  /** Asked twice on a terminal: a slip would lock the archive for ever. */
  readonly isNew: boolean;
}

/** Longer ones are a file given by mistake. */
const passphraseCharactersMax = 4096;

/** From a file, from the terminal without echo, or the first line of stdin. Never from the command line, which everybody can read. */
export async function readPassphrase(
  context: CommandContext,
  { file, isNew }: PassphraseOptions,
): Promise<string> {
  if (file !== undefined) return firstLine(await readPassphraseFile(file), file);
  if (context.stdin.isTTY !== true) return firstLine(await readInput(context), 'stdin');
  const passphrase = await typeHidden(context, 'Passphrase: ');
  if (isNew && passphrase !== (await typeHidden(context, 'Once more: ')))
    throw usageError('The two passphrases are not the same: nothing was done');
  return passphrase;
}

async function readPassphraseFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError('usage', `Cannot read the passphrase from ${file}: ${reason}`, { cause });
  }
}

function firstLine(text: string, origin: string): string {
  const line = text.split(/\r?\n/, 1)[0] ?? '';
  if (line === '') throw usageError(`There is no passphrase in ${origin}: its first line is empty`);
  if (line.length > passphraseCharactersMax)
    throw usageError(
      `The passphrase in ${origin} has ${line.length} characters, ${passphraseCharactersMax} is the limit`,
    );
  return line;
}

async function readInput({ stdin, interrupted }: CommandContext): Promise<string> {
  const decoder = new StringDecoder('utf8');
  let text = '';
  for await (const chunk of stdin.iterator({ destroyOnReturn: true })) {
    if (interrupted.aborted) throw interrupted.reason;
    text += typeof chunk === 'string' ? chunk : decoder.write(chunk as Buffer);
    if (text.includes('\n') || text.length > passphraseCharactersMax) break;
  }
  return text;
}

/** The keys of raw mode: the terminal hands them over instead of acting on them. */
const keys = {
  interrupt: '\u0003',
  endOfInput: '\u0004',
  backspace: '\u0008',
  delete: '\u007f',
  eraseLine: '\u0015',
};

/** Reads a line from a terminal that shows nothing of it. */
function typeHidden({ stdin, output, interrupted }: CommandContext, prompt: string): Promise<string> {
  const decoder = new StringDecoder('utf8');
  output.stderr.write(prompt);
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    const finish = (settle: () => void): void => {
      stdin.removeListener('data', onData);
      stdin.removeListener('end', onEnd);
      interrupted.removeEventListener('abort', onAbort);
      stdin.setRawMode?.(false);
      stdin.pause();
      output.stderr.write('\n');
      settle();
    };
    const fail = (error: unknown): void => finish(() => reject(error));
    const onAbort = (): void => fail(interrupted.reason);
    const onEnd = (): void => fail(usageError('The input ended before the passphrase was there'));
    const onData = (chunk: Buffer | string): void => {
      for (const key of typeof chunk === 'string' ? chunk : decoder.write(chunk)) {
        if (key === '\r' || key === '\n') {
          finish(() => resolve(typed.join('')));
          return;
        }
        if (key === keys.interrupt) {
          fail(new CommandError('interrupted', 'Interrupted'));
          return;
        }
        if (key === keys.endOfInput) {
          onEnd();
          return;
        }
        if (key === keys.backspace || key === keys.delete) typed.pop();
        else if (key === keys.eraseLine) typed = [];
        else if (key >= ' ') typed.push(key);
      }
    };
    stdin.setRawMode?.(true);
    interrupted.addEventListener('abort', onAbort, { once: true });
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    stdin.resume();
  });
}
