import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import type { Command } from 'commander';
import { printable } from '../../util/printable.ts';
import { HouseListingSchema } from '../../wire/house-http.ts';
import { localApiPaths } from '../../wire/local-api.ts';
import { CommandError, usageError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { DaemonClient } from '../daemon-client.ts';
import { formatHouseTarget, type HouseTarget, parseHouseTarget } from '../house-target.ts';
import { withVisitAdvice } from '../visit-advice.ts';

export function declareCat(command: Command, context: CommandContext): void {
  command
    .argument('<place>', 'whose house and which file: anna@example.com:/notes.txt')
    .option('--json', 'tell errors as lines of JSON')
    .addHelpText(
      'after',
      `
On a terminal, control characters are shown as \\u{..}, and what is not text is refused; a pipe gets the bytes as
they are. Bytes are not verified on the way: use get for what must be right.

Example:
  flashback cat anna@example.com:/notes.txt | less`,
    )
    .action((place: string) => {
      const target = parseHouseTarget(place);
      return withVisitAdvice(target.peer, () => show(target, context));
    });
}

async function show(target: HouseTarget, context: CommandContext): Promise<void> {
  const { output, interrupted } = context;
  if (target.path === '')
    throw usageError(`${formatHouseTarget(target)} is a whole house`, 'Name a file in it');
  const daemon = await DaemonClient.open(context);
  const response = await openContent(daemon, target);
  const asText = output.isTerminal ? new TerminalText() : undefined;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      const shown = asText === undefined ? chunk : asText.push(chunk);
      if (!output.stdout.write(shown)) await once(output.stdout, 'drain', { signal: interrupted });
    }
    requireComplete(response);
    if (asText !== undefined) output.stdout.write(asText.end());
  } catch (cause) {
    response.destroy();
    if (interrupted.aborted) throw interrupted.reason;
    if (cause instanceof CommandError) throw cause;
    throw new CommandError('failed', `${formatHouseTarget(target)} broke off in the middle`, { cause });
  }
}

async function openContent(daemon: DaemonClient, target: HouseTarget): Promise<IncomingMessage> {
  const { peer, path } = target;
  try {
    return await daemon.bytes({ path: localApiPaths.content, query: { peer, path } });
  } catch (cause) {
    const isBadRequest = cause instanceof CommandError && cause.code === 'bad_request';
    if (!isBadRequest || !(await isFolder(daemon, target))) throw cause;
    const place = printable(formatHouseTarget(target));
    throw new CommandError('bad_request', `${place} is a folder`, {
      cause,
      advice: `List it: flashback ls "${place}"; or take it with all in it: flashback get -r "${place}"`,
    });
  }
}

async function isFolder(daemon: DaemonClient, { peer, path }: HouseTarget): Promise<boolean> {
  try {
    await daemon.ask(HouseListingSchema, { path: localApiPaths.files, query: { peer, path, limit: '1' } });
    return true;
  } catch (error) {
    // What the first request failed with is the news, whatever this one fails with.
    if (!(error instanceof CommandError) || error.code === 'interrupted') throw error;
    return false;
  }
}

function requireComplete(response: IncomingMessage): void {
  if (!response.complete) throw new Error('the answer ended early');
}

/** Another person's bytes as text that cannot move the cursor, set the title or hide itself. */
class TerminalText {
  readonly #decoder = new StringDecoder('utf8');

  /** @throws {CommandError} for bytes that are no text. */
  push(chunk: Buffer): string {
    if (chunk.includes(0))
      throw new CommandError('failed', 'This is not text, and would garble the terminal', {
        advice: 'Download it with get, or send the output somewhere: … > file',
      });
    return printableLines(this.#decoder.write(chunk));
  }

  end(): string {
    return printableLines(this.#decoder.end());
  }
}

/** {@link printable}, but for line feeds and tabs, and the carriage return of a Windows line. */
export function printableLines(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .split(/([\n\t])/)
    .map((part) => (part === '\n' || part === '\t' ? part : printable(part)))
    .join('');
}
