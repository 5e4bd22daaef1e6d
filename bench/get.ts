/** How fast is `flashback get`, daemon to daemon to disk and verified, beside curl from the same house to the same disk? */
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createPeople, type Person } from './support/certificate-fixtures.ts';
import {
  type Contestant,
  measureServer,
  type Result,
  type Round,
  reportRatio,
  runContest,
} from './support/contest.ts';
import { prepareCurl } from './support/curl.ts';
import { runFlashback } from './support/flashback.ts';
import { registerVisitor, startHouse } from './support/house.ts';
import { type Bench, runQuestion } from './support/question.ts';
import { startRelay } from './support/relay.ts';
import { writeSampleFile } from './support/sample-file.ts';
import { median } from './support/statistics.ts';

const mebibyte = 1024 * 1024;
const fileName = 'big.bin';

/** One download: an operation is a byte, and the time is the whole command's, its start included. */
await runQuestion('get', async (bench) => {
  const fileBytes = (bench.isQuick ? 64 : 1024) * mebibyte;
  const root = join(bench.folder, 'root');
  const emptyRoot = join(bench.folder, 'empty');
  mkdirSync(root);
  mkdirSync(emptyRoot);
  writeSampleFile(join(root, fileName), fileBytes);
  const [visitor] = createPeople(1, 'visitor') as [Person];
  const curl = prepareCurl(bench, visitor);
  if (curl === undefined) return;
  await using relay = await startRelay(bench);
  await registerVisitor(relay, visitor);
  const { server, load } = bench.cores ?? {};
  await using house = await startHouse(bench, { relay, email: 'owner@example.com', root, core: server });
  await using guest = await startHouse(bench, {
    relay,
    email: 'guest@example.com',
    root: emptyRoot,
    core: load,
  });
  const url = `https://127.0.0.1:${house.port}/download/${fileName}`;
  const output = join(bench.folder, 'downloaded.bin');

  const toContestant = (name: string, download: () => Promise<unknown>): Contestant => ({
    name,
    runRound: async () => {
      rmSync(output, { force: true });
      const round = await measureServer(house.process, async () => {
        await download();
        return statSync(output).size;
      });
      if (round.operations !== fileBytes) {
        throw new Error(`Cannot compare ${name}: it wrote ${round.operations} of ${fileBytes} bytes`);
      }
      return round;
    },
  });
  const { ours, theirs } = await runContest(
    {
      ours: toContestant('flashback get', async () => {
        const args = ['get', `${house.email}:/${fileName}`, '-o', output, '--json'];
        return await runFlashback({ args, home: guest.home, core: load, signal: bench.signal });
      }),
      theirs: toContestant('curl', async () => await curl(url, output)),
    },
    bench,
  );
  for (const result of [ours, theirs]) note(bench, result);
  reportRatio(bench, {
    ours,
    theirs,
    measure: megabytesPerSecond,
    what: 'rate',
    unit: 'MB/s',
    goal: { kind: 'atLeast', limit: 0.5 },
  });
});

function megabytesPerSecond({ operations, elapsedMs }: Round): number {
  return operations / 1000 / elapsedMs;
}

function note(bench: Bench, { name, rounds }: Result): void {
  const speed = median(rounds.map(megabytesPerSecond));
  const cpu = median(rounds.map((round) => (round.cpuMicroseconds / round.operations) * 1000));
  bench.note(`  ${name}: ${speed.toFixed(0)} MB/s, ${cpu.toFixed(2)} CPU s per GB in the house`);
}
