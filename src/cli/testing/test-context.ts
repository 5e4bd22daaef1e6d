import { PassThrough, Writable } from 'node:stream';
import { dataFolders } from '../../util/platform/data-folder.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext, TerminalInput } from '../context.ts';
import { Output, type TerminalStream } from '../output.ts';

export interface TestContextOptions {
  /** FLASHBACK_HOME. */
  readonly home?: string;
  readonly environment?: NodeJS.ProcessEnv;
  readonly stdin?: TerminalInput;
  readonly isTerminal?: boolean;
  readonly columns?: number;
}

export interface TestContext extends CommandContext {
  /** Everything printed so far. */
  readonly printed: { readonly stdout: string; readonly stderr: string };
  interrupt(): void;
}

/** The surroundings of a command in a test: memory in place of a terminal, and an environment with nothing else in it. */
export function testContext(options: TestContextOptions = {}): TestContext {
  const { home = '/nonexistent/flashback-home', isTerminal = false, columns } = options;
  const environment = { FLASHBACK_HOME: home, ...options.environment };
  const stdout = memoryStream(isTerminal, columns);
  const stderr = memoryStream(isTerminal, columns);
  const controller = new AbortController();
  return {
    environment,
    currentDirectory: home,
    folders: dataFolders(environment),
    stdin: options.stdin ?? new PassThrough().end(),
    output: new Output({ stdout: stdout.stream, stderr: stderr.stream, environment }),
    interrupted: controller.signal,
    get printed() {
      return { stdout: stdout.text(), stderr: stderr.text() };
    },
    interrupt: () => controller.abort(new CommandError('interrupted', 'Interrupted')),
  };
}

/** A stream for what is printed; `isTerminal` makes it claim to be a terminal. */
export function memoryStream(
  isTerminal: boolean,
  columns?: number,
): { stream: TerminalStream; readonly text: () => string } {
  const chunks: Buffer[] = [];
  const writable = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  const stream = Object.assign(writable, { isTTY: isTerminal, ...(columns !== undefined && { columns }) });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}

/** A keyboard: what is pushed was typed. It knows the raw mode that a terminal has. */
export class TestKeyboard extends PassThrough {
  readonly isTTY = true;
  isRaw = false;

  setRawMode(isRaw: boolean): this {
    this.isRaw = isRaw;
    return this;
  }
}
