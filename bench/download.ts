/** What does a download of 1 GiB by curl cost a house, and how fast is it, beside nginx and a bare `node:https`? */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startBareDownload } from './support/bare-download.ts';
import { createPeople, type Person } from './support/certificate-fixtures.ts';
import {
  type Contestant,
  measureServer,
  type Result,
  type Round,
  reportRatio,
  runContest,
} from './support/contest.ts';
import { type CurlGet, prepareCurl } from './support/curl.ts';
import type { FileServer } from './support/file-server.ts';
import { registerVisitor, startHouse } from './support/house.ts';
import { startNginx } from './support/nginx.ts';
import { type Bench, runQuestion } from './support/question.ts';
import { startRelay } from './support/relay.ts';
import { writeSampleFile } from './support/sample-file.ts';
import { median } from './support/statistics.ts';

const mebibyte = 1024 * 1024;

/** A round that also knows how long curl waited, without the time that starting curl takes. */
interface DownloadRound extends Round {
  readonly curlSeconds: number;
}

type Downloadable = Omit<FileServer, keyof AsyncDisposable>;

await runQuestion('download', async (bench) => {
  const fileBytes = (bench.isQuick ? 64 : 1024) * mebibyte;
  const root = join(bench.folder, 'root');
  mkdirSync(root);
  const shown = { root, fileName: 'big.bin' };
  writeSampleFile(join(root, shown.fileName), fileBytes);
  const [visitor] = createPeople(1, 'visitor') as [Person];
  const get = prepareCurl(bench, visitor);
  if (get === undefined) return;
  await using relay = await startRelay(bench);
  await registerVisitor(relay, visitor);
  const core = bench.cores?.server;
  await using house = await startHouse(bench, { relay, email: 'owner@example.com', root, core });
  await using floor = await startBareDownload(bench, shown);
  await using nginx = await startNginx(bench, shown);
  const ourServer = {
    name: 'house',
    process: house.process,
    fileUrl: `https://127.0.0.1:${house.port}/download/${shown.fileName}`,
  };
  const toContestant = (server: Downloadable): Contestant<DownloadRound> => ({
    name: server.name,
    runRound: async () => await download(server, get, fileBytes, bench),
  });
  const { ours, bare, peer } = await runContest(
    {
      ours: toContestant(ourServer),
      bare: toContestant(floor),
      ...(nginx && { peer: toContestant(nginx) }),
    },
    bench,
  );
  for (const result of [ours, bare, peer]) if (result !== undefined) note(bench, result);
  reportRatio(bench, { ours, theirs: bare, measure: cpuSecondsPerGigabyte, what: 'CPU', unit: 's per GB' });
  if (peer === undefined) return;
  reportRatio(bench, {
    ours,
    theirs: peer,
    measure: cpuSecondsPerGigabyte,
    what: 'CPU',
    unit: 's per GB',
    goal: { kind: 'atMost', limit: 0.6 },
  });
  reportRatio(bench, {
    ours,
    theirs: peer,
    measure: megabytesPerSecond,
    what: 'throughput',
    unit: 'MB/s',
    goal: { kind: 'atLeast', limit: 1 },
  });
});

/** Downloads the file until the round has lasted long enough: each time with a curl, and a connection, of its own. */
async function download(
  server: Downloadable,
  get: CurlGet,
  fileBytes: number,
  bench: Bench,
): Promise<DownloadRound> {
  let curlSeconds = 0;
  const round = await measureServer(server.process, async () => {
    let bytesTotal = 0;
    const endMs = performance.now() + bench.seconds * 1000;
    do {
      const { bytes, seconds } = await get(server.fileUrl, '/dev/null');
      if (bytes !== fileBytes) {
        throw new Error(`Cannot compare ${server.name}: it sent ${bytes} of ${fileBytes} bytes`);
      }
      bytesTotal += bytes;
      curlSeconds += seconds;
    } while (performance.now() < endMs);
    return bytesTotal;
  });
  return { ...round, curlSeconds };
}

/** An operation is a byte: µs per byte are 1,000 s per GB. */
function cpuSecondsPerGigabyte({ cpuMicroseconds, operations }: DownloadRound): number {
  return (cpuMicroseconds / operations) * 1000;
}

function megabytesPerSecond({ operations, curlSeconds }: DownloadRound): number {
  return operations / 1e6 / curlSeconds;
}

/** A server that was busy much less than its core allows was waiting for curl. */
function note(bench: Bench, { name, rounds }: Result<DownloadRound>): void {
  const cpu = median(rounds.map(cpuSecondsPerGigabyte));
  const speed = median(rounds.map(megabytesPerSecond));
  const busy = (cpu * speed) / 10;
  bench.note(
    `  ${name}: ${cpu.toFixed(2)} CPU s per GB at ${speed.toFixed(0)} MB/s, busy ${busy.toFixed(0)} % meanwhile`,
  );
}
