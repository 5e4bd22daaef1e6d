import { readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { z } from 'zod';
import { linkAbort } from '../util/deadline.ts';
import { errorCode } from '../util/error-code.ts';
import {
  FailureSchema,
  type LocalApiAccess,
  LocalApiAccessSchema,
  localApiAccessFileName,
} from '../wire/local-api.ts';
import { CommandError } from './command-error.ts';
import type { CommandContext } from './context.ts';

export interface DaemonRequest {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Without query; what varies in it is encoded by the caller. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  /** Longest wait for the answer's head, milliseconds. */
  readonly timeoutMs?: number;
}

/** The daemon answers for other machines too, whose every address may have to time out first. */
const headTimeoutMsDefault = 60_000;
/** A page of 10,000 names of a house is about 2 MB. */
const answerBytesMax = 16 * 1024 * 1024;
/** One event of a stream: two paths and a few numbers. */
const eventCharactersMax = 65_536;

/** Talks to this user's daemon over loopback (`src/wire/local-api.ts`). */
export class DaemonClient {
  readonly #access: LocalApiAccess;
  readonly #interrupted: AbortSignal;

  constructor(access: LocalApiAccess, interrupted: AbortSignal) {
    this.#access = access;
    this.#interrupted = interrupted;
  }

  /** @throws {CommandError} `daemon_not_running` when no daemon has left word of itself. */
  static async open(context: CommandContext): Promise<DaemonClient> {
    const access = await readAccess(context.folders.data);
    if (access === undefined) throw notRunning();
    return new DaemonClient(access, context.interrupted);
  }

  /** Asks, and parses the answer. @throws {CommandError} with the code of the daemon's failure. */
  async ask<Schema extends z.ZodType>(schema: Schema, options: DaemonRequest): Promise<z.infer<Schema>> {
    const text = await this.#text(options);
    const parsed = schema.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    throw new CommandError(
      'failed',
      `The daemon answered ${options.path} with something this version does not understand`,
      {
        cause: parsed.error,
        advice: 'Are the daemon and this command of the same version? Restart: flashback up',
      },
    );
  }

  /** For what answers without a body. */
  async tell(options: DaemonRequest): Promise<void> {
    await this.#text(options);
  }

  /** The answer's body as it comes; the caller reads it to its end or destroys it. */
  bytes(options: DaemonRequest): Promise<IncomingMessage> {
    return this.#send(options);
  }

  /** The JSON lines of an answer, parsed one by one; leaving the loop ends the request. */
  async *events<Schema extends z.ZodType>(
    schema: Schema,
    options: DaemonRequest,
  ): AsyncGenerator<z.infer<Schema>> {
    const response = await this.#send(options);
    try {
      for await (const line of readLines(response)) if (line !== '') yield schema.parse(parseJson(line));
    } catch (cause) {
      if (this.#interrupted.aborted) throw this.#interrupted.reason;
      if (cause instanceof CommandError) throw cause;
      throw new CommandError('failed', 'The daemon ended the conversation in the middle: did it stop?', {
        cause,
      });
    } finally {
      response.destroy();
    }
  }

  async #text(options: DaemonRequest): Promise<string> {
    return readAll(await this.#send(options), this.#interrupted);
  }

  async #send(options: DaemonRequest): Promise<IncomingMessage> {
    const response = await this.#open(options);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const text = await readAll(response, this.#interrupted);
    const failure = FailureSchema.safeParse(parseJson(text));
    if (failure.success) throw new CommandError(failure.data.code, failure.data.error);
    throw new CommandError('failed', `The daemon answered ${options.path} with status ${status}`, {
      advice: 'Are the daemon and this command of the same version? Restart: flashback up',
    });
  }

  #open({
    method = 'GET',
    path,
    query = {},
    body,
    timeoutMs = headTimeoutMsDefault,
  }: DaemonRequest): Promise<IncomingMessage> {
    const url = new URL(path, this.#access.url);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, value);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const link = linkAbort(this.#interrupted);
    return new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request(url, {
        method,
        // One question a process: a connection kept alive would keep the process alive.
        agent: false,
        signal: link.signal,
        headers: {
          authorization: `Bearer ${this.#access.token}`,
          ...(text !== undefined && {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(text),
          }),
        },
      });
      const timer = setTimeout(() => {
        outgoing.destroy();
        reject(new CommandError('failed', `The daemon did not answer ${path} within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      outgoing.on('response', (response) => {
        clearTimeout(timer);
        response.on('close', () => link[Symbol.dispose]());
        resolve(response);
      });
      outgoing.on('error', (error) => {
        clearTimeout(timer);
        reject(this.#explain(error));
      });
      outgoing.end(text);
    });
  }

  #explain(error: Error): unknown {
    if (this.#interrupted.aborted) return this.#interrupted.reason;
    if ('code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET'))
      return notRunning(error);
    return new CommandError('failed', `Cannot ask the daemon at ${this.#access.url}: ${error.message}`, {
      cause: error,
    });
  }
}

/** What the daemon wrote of itself; undefined when there is no such file, or it is of a process that is gone. */
export async function readAccess(dataFolder: string): Promise<LocalApiAccess | undefined> {
  const path = join(dataFolder, localApiAccessFileName);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(
      'failed',
      `Cannot read ${path}, where the daemon says how to reach it: ${reason}`,
      { cause },
    );
  }
  const parsed = LocalApiAccessSchema.safeParse(parseJson(text));
  // A daemon writes it whole or not at all: anything else is damage that its next start repairs.
  return parsed.success && isOwnProcess(parsed.data.pid) ? parsed.data : undefined;
}

/**
 * A daemon that was killed leaves its file behind, and another user's program may listen on its port by now: it must not
 * be told anything, above all no passphrase.
 */
function isOwnProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // ESRCH: gone. EPERM: another user's, who got the number.
    return false;
  }
}

function notRunning(cause?: Error): CommandError {
  return new CommandError('daemon_not_running', 'Flashback is not running here', {
    cause,
    advice: 'Start it in another terminal: flashback up (on a new machine first: flashback init)',
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON is one more shape that no schema accepts.
    return undefined;
  }
}

async function readAll(response: IncomingMessage, interrupted: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > answerBytesMax)
        throw new CommandError('failed', `The daemon's answer is longer than ${answerBytesMax} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (interrupted.aborted) throw interrupted.reason;
    if (cause instanceof CommandError) throw cause;
    throw new CommandError('failed', "The daemon's answer broke off: did it stop?", { cause });
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* readLines(response: IncomingMessage): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > eventCharactersMax)
      throw new CommandError('failed', 'The daemon sent a line without end');
    yield* lines;
  }
  yield rest;
}
