import type { Writable } from 'node:stream';
import { styleText } from 'node:util';

/** Where a command writes: the process's own streams, or a test's. */
export interface TerminalStream extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export type Colour = 'green' | 'red' | 'yellow' | 'dim' | 'bold' | 'cyan';

export interface OutputOptions {
  readonly stdout: TerminalStream;
  readonly stderr: TerminalStream;
  readonly environment: NodeJS.ProcessEnv;
}

/** A line is this wide where nobody says: files, pipes, and terminals that do not tell. */
const columnsDefault = 80;

/**
 * What a command prints. Results go to stdout: lines for people, or with `--json` one object a line and nothing else.
 * Everything that is not a result (notes, warnings, errors, progress) goes to stderr, with `--json` as objects too.
 */
export class Output {
  readonly stdout: TerminalStream;
  readonly stderr: TerminalStream;
  readonly #environment: NodeJS.ProcessEnv;
  #isJson = false;
  #isPipeClosed = false;
  #failure: Error | undefined;
  #onPipeClosed: (() => void) | undefined;

  constructor({ stdout, stderr, environment }: OutputOptions) {
    this.stdout = stdout;
    this.stderr = stderr;
    this.#environment = environment;
    stdout.on('error', (error) => this.#closed(error));
    // Whoever reads no errors has said so; there is nobody to tell.
    stderr.on('error', () => {});
  }

  get isJson(): boolean {
    return this.#isJson;
  }

  useJson(isJson: boolean): void {
    this.#isJson = isJson;
  }

  /** What happens when the reader of our output leaves (`| head`): without a callback the lines go nowhere, and work goes on. */
  onPipeClosed(callback: (() => void) | undefined): void {
    this.#onPipeClosed = callback;
    if (this.#isPipeClosed) callback?.();
  }

  /** A result: for people as `line`, with `--json` as `object`. */
  result(line: string, object: object): void {
    this.#write(this.stdout, this.#isJson ? JSON.stringify(object) : line);
  }

  /** A line of a result that people see and scripts do not, such as a heading. */
  line(text: string): void {
    if (!this.#isJson) this.#write(this.stdout, text);
  }

  /** With `--json` an object of the result; people see nothing. */
  object(object: object): void {
    if (this.#isJson) this.#write(this.stdout, JSON.stringify(object));
  }

  /** What to know or do next. Scripts do not need it. */
  note(text: string): void {
    if (!this.#isJson) this.#write(this.stderr, text);
  }

  warning(text: string): void {
    if (this.#isJson) this.#write(this.stderr, JSON.stringify({ event: 'warning', message: text }));
    else this.#write(this.stderr, `${this.paint('yellow', 'warning:', this.stderr)} ${text}`);
  }

  error(code: string, text: string, advice?: string): void {
    if (this.#isJson) {
      this.#write(
        this.stderr,
        JSON.stringify({ event: 'error', code, error: text, ...(advice !== undefined && { advice }) }),
      );
      return;
    }
    this.#write(this.stderr, `${this.paint('red', 'flashback:', this.stderr)} ${text}`);
    if (advice !== undefined) this.#write(this.stderr, advice);
  }

  /** `text` in colour when `stream` is a terminal and NO_COLOR is not set (https://no-color.org). */
  paint(colour: Colour, text: string, stream: TerminalStream = this.stdout): string {
    const isWanted =
      stream.isTTY === true && !this.#environment['NO_COLOR'] && this.#environment['TERM'] !== 'dumb';
    return isWanted ? styleText(colour, text, { validateStream: false }) : text;
  }

  get columns(): number {
    return this.stdout.columns ?? columnsDefault;
  }

  get isTerminal(): boolean {
    return this.stdout.isTTY === true;
  }

  /** Why results could not be written (a full disk), for the end of the command. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  #write(stream: TerminalStream, text: string): void {
    if (stream !== this.stdout || !this.#isPipeClosed) stream.write(`${text}\n`);
  }

  #closed(error: Error): void {
    this.#isPipeClosed = true;
    if (!('code' in error) || error.code !== 'EPIPE') this.#failure = error;
    this.#onPipeClosed?.();
  }
}
