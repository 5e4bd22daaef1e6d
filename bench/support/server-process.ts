import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { onCore } from './pinning.ts';

/** A server that is not ready after this long has failed. */
const readyMs = 20_000;
/** How long a server may take to end by itself before it is killed. */
const stopMs = 5_000;
/** How much of what a server printed on standard error is kept, to quote when it fails. */
const stderrCharactersMax = 4_000;
const connectRetryMs = 20;

export interface ServerOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The core to run on; anywhere when undefined. */
  readonly core: number | undefined;
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** A server under test as a process of its own. Ends with its owner (`await using`), and at the latest with this process. */
export class ServerProcess implements AsyncDisposable {
  readonly name: string;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #signal: AbortSignal;
  readonly #ended: Promise<unknown>;
  readonly #lines: ReturnType<typeof createInterface>;
  #stderr = '';

  /** Starts the process without waiting for anything; see `readyLine` and `readyPort`. */
  static spawn(options: ServerOptions): ServerProcess {
    return new ServerProcess(options);
  }

  private constructor(options: ServerOptions) {
    options.signal.throwIfAborted();
    const [command, args] = onCore(options.core, options.command, options.args);
    this.name = options.name;
    this.#signal = options.signal;
    this.#child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = once(this.#child, 'exit').catch((error: unknown) => error);
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrCharactersMax);
    });
    running.add(this.#child);
    this.#child.once('exit', () => running.delete(this.#child));
  }

  get pid(): number {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null)
      throw this.#failure('it is not running');
    return pid;
  }

  /** Waits for the first line of standard output that `read` makes a value of. Later lines are dropped. */
  async readyLine<T>(read: (line: string) => T | undefined): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    this.#lines.on('line', (line) => {
      const value = read(line);
      if (value !== undefined) resolve(value);
    });
    return await this.#beforeDeadline(promise);
  }

  /** Waits until something accepts connections on `port` of 127.0.0.1. */
  async readyPort(port: number): Promise<void> {
    const stop = new AbortController();
    try {
      await this.#beforeDeadline(untilAccepting(port, stop.signal));
    } finally {
      stop.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM');
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), stopMs);
    await this.#ended;
    clearTimeout(killer);
    this.#lines.close();
  }

  async #beforeDeadline<T>(ready: Promise<T>): Promise<T> {
    const { promise: failed, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(this.#failure(`it was not ready after ${readyMs} ms`)), readyMs);
    const onAbort = (): void => reject(this.#signal.reason);
    this.#signal.addEventListener('abort', onAbort);
    const ended = this.#ended.then(() => {
      throw this.#failure('it ended before it was ready');
    });
    try {
      return await Promise.race([ready, failed, ended]);
    } finally {
      ended.catch(() => undefined);
      clearTimeout(timer);
      this.#signal.removeEventListener('abort', onAbort);
    }
  }

  #failure(reason: string): Error {
    const said = this.#stderr === '' ? 'and it printed no error' : `and it printed:\n${this.#stderr}`;
    return new Error(`Cannot measure ${this.name}: ${reason}, ${said}`);
  }
}

/** Whatever happens to this process, no server outlives it. */
const running = new Set<ChildProcessByStdio<null, Readable, Readable>>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

async function untilAccepting(port: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const socket = connect({ host: '127.0.0.1', port });
    const { promise, resolve } = Promise.withResolvers<boolean>();
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    const isAccepting = await promise;
    socket.destroy();
    if (isAccepting) return;
    await delay(connectRetryMs);
  }
}
