/** What does the first page of a list of 10,000 peers cost the relay? */

import { startBareTracker } from './support/bare-tracker.ts';
import { createPeople } from './support/certificate-fixtures.ts';
import {
  type Contestant,
  cpuMicrosecondsPerOperation,
  measureServer,
  type Round,
  runContest,
} from './support/contest.ts';
import { encodeRequest } from './support/http-request.ts';
import type { LoadConnection } from './support/load-connection.ts';
import { type Bench, runQuestion } from './support/question.ts';
import { startRelay } from './support/relay.ts';
import { saturate } from './support/saturate.ts';
import { median } from './support/statistics.ts';
import {
  clientCount,
  closeConnections,
  enter,
  openConnections,
  type TrackerServer,
} from './support/tracker-server.ts';

const listPath = '/api/relay/broadcast/list';
/** The page that the goal is about; the floor answers with as many. */
const pageLimit = 1000;
const goal = { kind: 'atMost', limit: 2 } as const;

await runQuestion('list', async (bench) => {
  const people = createPeople(bench.isQuick ? 500 : 10_000);
  await using relay = await startRelay(bench);
  await using floor = await startBareTracker(bench);
  for (const server of [relay, floor]) {
    await closeConnections(await enter(server, people));
    bench.note(`  ${server.name}: ${people.length} peers announced`);
  }
  const clients = people.slice(0, clientCount);
  const results = await runContest(
    {
      page: toContestant(relay, 'relay, first page of 1,000', `?limit=${pageLimit}`),
      floor: toContestant(floor, `${floor.name}, 1,000 unordered`, ''),
      smallPage: toContestant(relay, 'relay, first page of 100', '?limit=100'),
      everything: toContestant(relay, `relay, all ${people.length} at once`, ''),
    },
    bench,
  );
  for (const result of Object.values(results)) {
    const { name, rounds } = result;
    const cpuMs = rounds.map((round) => cpuMicrosecondsPerOperation(round) / 1000);
    const kibibytes = median(rounds.map((round) => round.bodyBytes / round.operations / 1024));
    bench.report({
      subject: name,
      measured: `${kibibytes.toFixed(0)} KiB a page`,
      value: median(cpuMs),
      unit: 'ms CPU',
      range: [Math.min(...cpuMs), Math.max(...cpuMs)],
      ...(result === results.page && { goal }),
      isQuick: bench.isQuick,
    });
  }

  function toContestant(server: TrackerServer, name: string, query: string): Contestant<ListRound> {
    const request = encodeRequest('GET', `${listPath}${query}`);
    return {
      name,
      runRound: async () => {
        const connections = await openConnections(clients, server.port);
        const round = await measureServer(
          server.process,
          async () => await load(connections, request, bench),
        );
        const bodyBytes = connections.reduce((total, connection) => total + connection.bodyBytes, 0);
        await closeConnections(connections);
        return { ...round, bodyBytes };
      },
    };
  }
});

/** A round that also knows how much was answered. */
interface ListRound extends Round {
  readonly bodyBytes: number;
}

async function load(connections: readonly LoadConnection[], request: Buffer, bench: Bench): Promise<number> {
  const { seconds, signal } = bench;
  return await saturate({ connections, request: () => request, status: 200, seconds, signal });
}
