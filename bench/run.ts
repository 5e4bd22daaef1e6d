/**
 * Runs every benchmark, or those that are named: `npm run bench -- [--quick] [--rounds N] [--seconds N] [lookup …]`.
 * Each question is a process of its own, so that none measures in the leftovers of another. Exits with 0 unless
 * something broke: a goal that is not reached is a finding, not a failure.
 */
import { fork } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Figure, formatTable } from './support/figure.ts';
import { parseBenchArguments } from './support/question.ts';

const questions = [
  'lookup',
  'ready',
  'new-connection',
  'list',
  'relay-memory',
  'download',
  'folder-page',
  'get',
] as const;

interface Asked {
  readonly figures: readonly Figure[];
  readonly isBroken: boolean;
}

const names = process.argv.slice(2).filter((argument) => questions.some((question) => question === argument));
const options = process.argv.slice(2).filter((argument) => !names.includes(argument));
parseBenchArguments(options);

console.log(
  `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}, load ${loadavg()[0]?.toFixed(2)}`,
);
const rows: { question: string; figure: Figure }[] = [];
const broken: string[] = [];
for (const question of questions) {
  if (names.length > 0 && !names.includes(question)) continue;
  console.log('');
  const { figures, isBroken } = await ask(question);
  for (const figure of figures) rows.push({ question, figure });
  if (isBroken) broken.push(question);
}
console.log(`\n${formatTable(rows)}`);
if (broken.length > 0) {
  console.error(`\nbroke: ${broken.join(', ')}`);
  process.exitCode = 1;
}

/** Runs one question; what it prints goes through, its figures come back as messages. */
async function ask(question: string): Promise<Asked> {
  const child = fork(fileURLToPath(new URL(`./${question}.ts`, import.meta.url)), options);
  const figures: Figure[] = [];
  child.on('message', (message) => figures.push(message as Figure));
  // The terminal has sent the interruption to the question too, which cleans up; then there is nothing more to ask.
  const onInterrupt = (): void => {
    child.once('exit', () => process.exit(130));
  };
  process.once('SIGINT', onInterrupt);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  child.once('error', () => resolve(true));
  child.once('exit', (code) => resolve(code !== 0));
  const isBroken = await promise;
  process.off('SIGINT', onInterrupt);
  return { figures, isBroken };
}
