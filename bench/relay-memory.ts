/** How much memory does the relay hold with 5,000 clients connected by mutual TLS, each registered and announced? */
import { startBareTracker } from './support/bare-tracker.ts';
import { createPeople, type Person } from './support/certificate-fixtures.ts';
import type { LoadConnection } from './support/load-connection.ts';
import { residentMegabytesOf } from './support/process-figures.ts';
import { type Bench, runQuestion } from './support/question.ts';
import { startRelay } from './support/relay.ts';
import { closeConnections, enter, type TrackerServer } from './support/tracker-server.ts';

await runQuestion('relay-memory', async (bench) => {
  const people = createPeople(bench.isQuick ? 200 : 5000);
  for (const start of [startBareTracker, startRelay]) {
    await using server = await start(bench);
    const emptyMegabytes = residentMegabytesOf(server.process.pid);
    const connections = await enter(server, people);
    const connectedMegabytes = residentMegabytesOf(server.process.pid);
    const perClient = ((connectedMegabytes - emptyMegabytes) * 1000) / people.length;
    bench.report({
      subject: `${server.name}, ${people.length} clients connected and announced`,
      measured: `${emptyMegabytes.toFixed(0)} MB before the first, ${perClient.toFixed(0)} kB a client`,
      value: connectedMegabytes,
      unit: 'MB resident',
      ...(start === startRelay && { goal: { kind: 'atMost', limit: 450 } as const }),
      isQuick: bench.isQuick,
    });
    const megabytes = await readWhileBusy(server, connections, people, bench);
    bench.report({
      subject: `${server.name}, the same after all looked somebody up at once`,
      measured: `${bench.rounds} times`,
      value: Math.max(...megabytes),
      unit: 'MB resident',
      range: [Math.min(...megabytes), Math.max(...megabytes)],
      isQuick: bench.isQuick,
    });
    await closeConnections(connections);
  }
});

/** Memory after each of several rounds in which every client looks somebody up, all in the same moment. */
async function readWhileBusy(
  server: TrackerServer,
  connections: readonly LoadConnection[],
  people: readonly Person[],
  bench: Bench,
): Promise<readonly number[]> {
  const requests = people.map((person) => server.lookupRequest(person));
  const megabytes: number[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    bench.signal.throwIfAborted();
    const answers = connections.map(async (connection, index) => {
      return await connection.ask(requests[(index + round) % requests.length] as Buffer);
    });
    const refused = (await Promise.all(answers)).filter((status) => status !== 200);
    if (refused.length > 0)
      throw new Error(`Cannot keep the clients alive: a lookup was answered with ${refused[0]}`);
    megabytes.push(residentMegabytesOf(server.process.pid));
  }
  return megabytes;
}
