import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const launcherDefault = fileURLToPath(new URL('../../bin/flashback.ts', import.meta.url));

/** A program that says nothing for this long has failed. */
const eventTimeoutMs = 30_000;
/** What a program printed on standard error, kept to quote when it fails. */
const stderrCharactersMax = 20_000;
/** Lines of one program that nobody waited for yet. */
const linesKeptMax = 10_000;

export interface ProgramOptions {
  /** `FLASHBACK_HOME`: the whole life of one person on one machine. */
  readonly home: string;
  /** Runs it there: `ip netns exec <name>`. */
  readonly prefix?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Another copy of the program; default: this checkout's. */
  readonly launcher?: string;
}

export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const EventSchema = z.looseObject({ event: z.string().optional() });
export type ProgramEvent = z.infer<typeof EventSchema>;

/** One `flashback` process that prints lines of JSON. Disposal stops it with SIGTERM and, if it stays, SIGKILL. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #lines: ProgramEvent[] = [];
  readonly #finished: Promise<Finished>;
  readonly #name: string;
  #wake: (() => void) | undefined;
  #stderr = '';
  #stdout = '';

  constructor(args: readonly string[], options: ProgramOptions) {
    this.#name = `flashback ${args.join(' ')}`;
    const { prefix = [], launcher = launcherDefault } = options;
    const [command = process.execPath, ...rest] = [...prefix, process.execPath, launcher, ...args];
    this.#child = spawn(command, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', FLASHBACK_HOME: options.home, ...options.environment },
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrCharactersMax);
    });
    this.#finished = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (status, signal) => {
        this.#wake?.();
        resolve({ status, signal, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#name} did not start`);
    return this.#child.pid;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get finished(): Promise<Finished> {
    return this.#finished;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The next line that `isIt`; earlier lines are dropped. Rejects when the program ends or stays silent. */
  async event<T extends ProgramEvent>(
    what: string,
    isIt: (line: ProgramEvent) => line is T,
    timeoutMs?: number,
  ): Promise<T>;
  async event(what: string, isIt: (line: ProgramEvent) => boolean, timeoutMs?: number): Promise<ProgramEvent>;
  async event(
    what: string,
    isIt: (line: ProgramEvent) => boolean,
    timeoutMs: number = eventTimeoutMs,
  ): Promise<ProgramEvent> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift())
        if (isIt(line)) return line;
      const leftMs = deadlineMs - performance.now();
      if (!this.isRunning) throw this.#failure(`ended before ${what}`);
      if (leftMs <= 0) throw this.#failure(`did not print ${what} within ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await this.#finished;
    clearTimeout(timer);
  }

  #take(line: string): void {
    this.#stdout += `${line}\n`;
    const parsed = EventSchema.safeParse(parseJson(line));
    if (parsed.success) this.#lines.push(parsed.data);
    if (this.#lines.length > linesKeptMax) this.#lines.shift();
    this.#wake?.();
  }

  #failure(problem: string): Error {
    return new Error(`${this.#name} ${problem}\n${this.#stdout.slice(-2000)}\n${this.#stderr}`);
  }
}

/** Runs a command to its end and gives what it printed. */
export async function runToEnd(args: readonly string[], options: ProgramOptions): Promise<Finished> {
  await using program = new Program(args, options);
  return await program.finished;
}

/** The same for a command that must succeed; its lines of JSON. */
export async function jsonLines(args: readonly string[], options: ProgramOptions): Promise<ProgramEvent[]> {
  const { status, stdout, stderr } = await runToEnd([...args, '--json'], options);
  if (status !== 0) throw new Error(`flashback ${args.join(' ')} exited with ${status}\n${stdout}${stderr}`);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => EventSchema.parse(JSON.parse(line)));
}

const ListeningSchema = z.object({ event: z.literal('listening'), url: z.string(), port: z.number() });
const ReadySchema = z.object({
  event: z.literal('ready'),
  email: z.string(),
  port: z.number(),
  addresses: z.array(z.string()),
  ui: z.string(),
});

/** Waits for the line by which `flashback relay --json` says that it listens. */
export async function listening(relay: Program): Promise<z.infer<typeof ListeningSchema>> {
  return ListeningSchema.parse(await relay.event('listening', (line) => line.event === 'listening'));
}

/** Waits for the line by which `flashback up --json` says that the house is open. */
export async function ready(daemon: Program): Promise<z.infer<typeof ReadySchema>> {
  return ReadySchema.parse(await daemon.event('ready', (line) => line.event === 'ready'));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A line for people.
    return undefined;
  }
}
