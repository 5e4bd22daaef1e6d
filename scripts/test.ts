/**
 * Runs the test suites one after the other, says which ran and which were skipped and why, and ends with the totals:
 * `N passed, N failed, N skipped`. `npm test` runs all; `npm test -- unit system` these.
 */
import { spawn, spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

interface Suite {
  readonly name: string;
  readonly what: string;
  readonly files: readonly string[];
  /** Test files at once. */
  readonly concurrency: number;
  /** Why this machine cannot run it; undefined when it can. */
  readonly obstacle?: () => string | undefined;
}

const cores = availableParallelism();

const suites: readonly Suite[] = [
  {
    name: 'checks',
    what: 'the repository checks itself: layers, launcher, package',
    files: ['test/checks/*.test.ts'],
    concurrency: 1,
  },
  {
    name: 'unit',
    what: 'beside the source: real SQLite, PostgreSQL, TLS and files',
    files: ['{src,bench}/**/*.test.ts'],
    concurrency: Math.max(2, cores),
  },
  {
    name: 'system',
    what: 'relay and peers as real processes',
    files: ['test/system/*.test.ts'],
    concurrency: 2,
  },
  {
    name: 'crash',
    what: 'kill -9 under load, and what must have survived',
    files: ['test/crash/*.test.ts'],
    concurrency: 1,
  },
  {
    name: 'netlab',
    what: 'machines in network namespaces',
    files: ['test/netlab/*.test.ts'],
    concurrency: 1,
    obstacle: netlabObstacle,
  },
];

const TotalsSchema = z.object({
  passed: z.number(),
  failed: z.number(),
  skipped: z.array(z.string()),
});
type Totals = z.infer<typeof TotalsSchema>;

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(
    `No such suite: ${unknown.join(', ')}. There are: ${suites.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}

const report: string[] = [];
const sum = { passed: 0, failed: 0, skipped: 0 };
for (const suite of suites) {
  if (wanted.length > 0 && !wanted.includes(suite.name)) continue;
  const obstacle = suite.obstacle?.();
  const files = globSync([...suite.files]).sort();
  if (obstacle !== undefined) {
    report.push(`${suite.name}: skipped, ${files.length} files: ${obstacle}`);
    sum.skipped += files.length;
    continue;
  }
  console.log(`\n== ${suite.name}: ${suite.what} ==\n`);
  const startedMs = performance.now();
  const totals = await runSuite(suite, files);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  report.push(
    `${suite.name}: ${totals.passed} passed, ${totals.failed} failed, ${totals.skipped.length} skipped in ${seconds} s`,
    ...totals.skipped.map((reason) => `  skipped: ${reason}`),
  );
  sum.passed += totals.passed;
  sum.failed += totals.failed;
  sum.skipped += totals.skipped.length;
}
console.log(`\n${report.join('\n')}\n`);
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;

async function runSuite(suite: Suite, files: readonly string[]): Promise<Totals> {
  if (files.length === 0) return { passed: 0, failed: 1, skipped: [] };
  const folder = mkdtempSync(join(tmpdir(), 'flashback-test-'));
  const totalsFile = join(folder, 'totals.json');
  try {
    const child = spawn(
      process.execPath,
      [
        '--test',
        `--test-concurrency=${suite.concurrency}`,
        '--test-reporter=spec',
        '--test-reporter-destination=stdout',
        `--test-reporter=${new URL('./totals-reporter.ts', import.meta.url).href}`,
        `--test-reporter-destination=${totalsFile}`,
        ...files,
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    const code = await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status) => resolve(status ?? 1));
    });
    const totals = TotalsSchema.parse(JSON.parse(readFileSync(totalsFile, 'utf8')));
    // A file that dies without a failed test is a failure all the same.
    return code !== 0 && totals.failed === 0 ? { ...totals, failed: 1 } : totals;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function netlabObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are Linux only';
  if (process.getuid?.() !== 0) return 'making network namespaces needs root';
  for (const program of ['ip', 'nft']) {
    if (spawnSync(program, ['-V']).error !== undefined)
      return `\`${program}\` is not installed (Debian: iproute2, nftables)`;
  }
  const name = `flashback-probe-${process.pid}`;
  const made = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
  if (made.status !== 0) return `this machine lets nobody make network namespaces: ${made.stderr.trim()}`;
  spawnSync('ip', ['netns', 'delete', name]);
  return undefined;
}
