import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Figure, formatFigure } from './figure.ts';
import { type Cores, pinLoad } from './pinning.ts';

/** The median of fewer rounds than this is not quoted. */
const roundsMin = 5;
/** CPU time is told in steps of 10 ms: over 3 s of a busy server that is 0.3 %. */
const secondsDefault = 3;

/** What shells say of a program that Ctrl-C ended. */
const interruptedExitCode = 130;

export interface BenchOptions {
  /** Rounds that each contestant runs, in turns. */
  readonly rounds: number;
  /** How long one round keeps the server busy. */
  readonly seconds: number;
  /** A smoke test: one short round of everything, judging nothing. */
  readonly isQuick: boolean;
}

export interface Bench extends BenchOptions {
  readonly cores: Cores | undefined;
  /** A temporary folder on disk; removed at the end. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Prints one figure, and hands it to the summary. */
  readonly report: (figure: Figure) => void;
  /** Prints a line that is no figure: what was skipped and why, what was negotiated. */
  readonly note: (text: string) => void;
}

/** Runs one question as a program: arguments, cores, temporary folder, interruption, exit code. */
export async function runQuestion(name: string, ask: (bench: Bench) => Promise<void>): Promise<void> {
  const options = parseBenchArguments(process.argv.slice(2));
  if (process.platform !== 'linux') {
    console.log(`${name}: skipped, CPU time is read from /proc, which only Linux has`);
    return;
  }
  const interruption = new AbortController();
  for (const event of ['SIGINT', 'SIGTERM'] as const) {
    process.once(event, () => interruption.abort(new Error(`interrupted by ${event}`)));
  }
  const cores = pinLoad();
  const folder = mkdtempSync(join(tmpdir(), `flashback-bench-${name}-`));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const note = (text: string): void => console.log(`${name}: ${text}`);
  if (cores === undefined)
    note('nothing is pinned to a core (one core only, or no taskset): expect more noise');
  const report = (figure: Figure): void => {
    console.log(`${name}: ${formatFigure(figure)}`);
    process.send?.(figure);
  };
  try {
    await ask({ ...options, cores, folder, signal: interruption.signal, report, note });
  } catch (error) {
    if (interruption.signal.aborted) {
      console.error(`${name}: interrupted`);
      process.exitCode = interruptedExitCode;
    } else {
      console.error(`${name}: broke`, error);
      process.exitCode = 1;
    }
  }
  if (process.connected) process.disconnect?.();
}

/** `--quick`, `--rounds N` and `--seconds N`. */
export function parseBenchArguments(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { quick: { type: 'boolean' }, rounds: { type: 'string' }, seconds: { type: 'string' } },
  });
  const isQuick = values.quick ?? false;
  const rounds = Number(values.rounds ?? (isQuick ? 1 : roundsMin));
  const seconds = Number(values.seconds ?? (isQuick ? 0.3 : secondsDefault));
  if (!Number.isInteger(rounds) || rounds < (isQuick ? 1 : roundsMin)) {
    throw new Error(
      `--rounds is ${values.rounds}: it must be an integer, at least ${isQuick ? 1 : roundsMin}`,
    );
  }
  if (!(seconds > 0)) throw new Error(`--seconds is ${values.seconds}: it must be a number above 0`);
  return { rounds, seconds, isQuick };
}
