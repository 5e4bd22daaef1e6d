/** How long does a visitor wait for the first page of a folder with 100,000 entries? */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startBareListing } from './support/bare-listing.ts';
import { createPeople, type Person } from './support/certificate-fixtures.ts';
import { registerVisitor, startHouse } from './support/house.ts';
import { encodeRequest } from './support/http-request.ts';
import { LoadConnection } from './support/load-connection.ts';
import { cpuMicrosecondsOf } from './support/process-figures.ts';
import { type Bench, runQuestion } from './support/question.ts';
import { startRelay } from './support/relay.ts';
import type { ServerProcess } from './support/server-process.ts';
import { median } from './support/statistics.ts';

/** What the house answers with when the visitor does not say how many. */
const pageEntries = 1000;
const goal = { kind: 'below', limit: 300 } as const;
const request = encodeRequest('GET', '/api/files');

interface Visited {
  readonly name: string;
  readonly process: ServerProcess;
  readonly connection: LoadConnection;
  readonly waitsMs: number[];
}

await runQuestion('folder-page', async (bench) => {
  const entryCount = bench.isQuick ? 5000 : 100_000;
  const root = join(bench.folder, 'root');
  writeManyFiles(root, entryCount);
  const [visitor] = createPeople(1, 'visitor') as [Person];
  await using relay = await startRelay(bench);
  await registerVisitor(relay, visitor);
  const core = bench.cores?.server;
  await using house = await startHouse(bench, { relay, email: 'owner@example.com', root, core });
  await using floor = await startBareListing(bench, root, pageEntries);
  const visits: readonly Visited[] = [
    await enter('house', house.process, house.port, visitor),
    await enter('bare node:https, reading the whole folder', floor.process, floor.port, visitor),
  ];
  const cpuBefore = visits.map((visit) => cpuMicrosecondsOf(visit.process.pid));
  for (let round = 0; round <= bench.rounds; round++) {
    for (const visit of visits) visit.waitsMs.push(await waitForPage(visit, bench));
  }
  for (const [index, visit] of visits.entries()) {
    const cpuMs = (cpuMicrosecondsOf(visit.process.pid) - (cpuBefore[index] ?? Number.NaN)) / 1000;
    report(bench, visit, cpuMs / visit.waitsMs.length);
    await visit.connection[Symbol.asyncDispose]();
  }
});

/** The first page is what a visitor meets; the later ones tell what is kept between them. */
function report(bench: Bench, { name, connection, waitsMs }: Visited, cpuMs: number): void {
  const [first = Number.NaN, ...later] = waitsMs;
  const kibibytes = connection.bodyBytes / waitsMs.length / 1024;
  const judged = name === 'house' ? { goal } : {};
  const { isQuick } = bench;
  const measured = `${kibibytes.toFixed(0)} KiB, ${cpuMs.toFixed(0)} ms CPU`;
  bench.report({ subject: `${name}, first visit`, measured, value: first, unit: 'ms', ...judged, isQuick });
  bench.report({
    subject: `${name}, again`,
    measured,
    value: median(later),
    unit: 'ms',
    range: [Math.min(...later), Math.max(...later)],
    ...judged,
    isQuick,
  });
}

async function enter(name: string, process: ServerProcess, port: number, visitor: Person): Promise<Visited> {
  return { name, process, connection: await LoadConnection.open(visitor, port), waitsMs: [] };
}

async function waitForPage({ name, connection }: Visited, bench: Bench): Promise<number> {
  bench.signal.throwIfAborted();
  const startMs = performance.now();
  const status = await connection.ask(request);
  if (status !== 200) throw new Error(`Cannot measure ${name}: the listing was answered with ${status}`);
  return performance.now() - startMs;
}

/** In an order that is not the names': a directory hands them back in one of its own anyway. */
function writeManyFiles(root: string, count: number): void {
  mkdirSync(root);
  for (let index = 0; index < count; index++) {
    const name = `entry ${String((index * 7919) % count).padStart(6, '0')}.txt`;
    writeFileSync(join(root, name), '');
  }
}
