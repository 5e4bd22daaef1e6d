import type { Goal } from './figure.ts';
import { cpuMicrosecondsOf } from './process-figures.ts';
import type { Bench } from './question.ts';
import type { ServerProcess } from './server-process.ts';
import { median, pairedRatio } from './statistics.ts';

/** What one round did to one server. */
export interface Round {
  readonly operations: number;
  readonly cpuMicroseconds: number;
  readonly elapsedMs: number;
}

/** Something that can be measured round after round. */
export interface Contestant<R extends Round = Round> {
  readonly name: string;
  readonly runRound: () => Promise<R>;
}

export interface Result<R extends Round = Round> {
  readonly name: string;
  readonly rounds: readonly R[];
}

/** Runs `work`, which resolves to the number of operations, and reads the server's CPU time before and after. */
export async function measureServer(server: ServerProcess, work: () => Promise<number>): Promise<Round> {
  const cpuBefore = cpuMicrosecondsOf(server.pid);
  const startMs = performance.now();
  const operations = await work();
  const elapsedMs = performance.now() - startMs;
  return { operations, cpuMicroseconds: cpuMicrosecondsOf(server.pid) - cpuBefore, elapsedMs };
}

/** The result of each of the named contestants `C`. */
export type Results<C> = {
  readonly [Name in keyof C]: C[Name] extends Contestant<infer R> ? Result<R> : never;
};

/**
 * Lets the contestants take turns (A B C A B C …), after one round each that does not count: servers compile
 * their hot paths in it and caches fill.
 */
export async function runContest<C extends { readonly [name: string]: Contestant }>(
  contestants: C,
  bench: Bench,
): Promise<Results<C>> {
  const entries = Object.entries<Contestant>(contestants);
  const results = entries.map(([key, { name }]) => [key, { name, rounds: new Array<Round>() }] as const);
  for (let turn = bench.isQuick ? 1 : 0; turn <= bench.rounds; turn++) {
    for (const [index, [, contestant]] of entries.entries()) {
      bench.signal.throwIfAborted();
      const round = await contestant.runRound();
      if (turn > 0) results[index]?.[1].rounds.push(round);
    }
  }
  return Object.fromEntries(results) as unknown as Results<C>;
}

export function cpuMicrosecondsPerOperation({ cpuMicroseconds, operations }: Round): number {
  return cpuMicroseconds / operations;
}

/** Prints what one contestant did: CPU per operation, operations per second, and how busy its core was with it. */
export function noteResult(bench: Bench, { name, rounds }: Result): void {
  const cpu = median(rounds.map(cpuMicrosecondsPerOperation));
  const perSecond = median(rounds.map((round) => (round.operations * 1000) / round.elapsedMs));
  const busy = median(rounds.map((round) => round.cpuMicroseconds / round.elapsedMs / 1000));
  bench.note(
    `  ${name}: ${formatShort(cpu)} µs CPU per operation at ${perSecond.toFixed(0)} operations/s, busy ${(busy * 100).toFixed(0)} %`,
  );
}

export interface Comparison<R extends Round> {
  readonly ours: Result<R>;
  readonly theirs: Result<R>;
  /** What of a round is compared. */
  readonly measure: (round: R) => number;
  /** What that is, such as `throughput`. */
  readonly what: string;
  /** Its unit, to print. */
  readonly unit: string;
  /** What the ratio ours / theirs must be; only told when undefined. */
  readonly goal?: Goal | undefined;
}

/** Reports ours as a multiple of theirs, round by round. */
export function reportRatio<R extends Round>(bench: Bench, comparison: Comparison<R>): void {
  const { measure, what, unit, goal } = comparison;
  const ours = comparison.ours.rounds.map(measure);
  const theirs = comparison.theirs.rounds.map(measure);
  const ratio = pairedRatio(ours, theirs);
  bench.report({
    subject: `${comparison.ours.name} / ${comparison.theirs.name}, ${what}`,
    measured: `${formatShort(median(ours))} against ${formatShort(median(theirs))} ${unit}`,
    value: ratio.median,
    unit: '',
    range: [ratio.smallest, ratio.largest],
    ...(goal && { goal }),
    isQuick: bench.isQuick,
  });
}

/** Reports the server's CPU time per operation as a ratio. */
export function reportCpuRatio(bench: Bench, ours: Result, theirs: Result, goal?: Goal): void {
  reportRatio(bench, { ours, theirs, measure: cpuMicrosecondsPerOperation, what: 'CPU', unit: 'µs', goal });
}

function formatShort(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}
