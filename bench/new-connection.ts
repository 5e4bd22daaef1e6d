/** What does a client that comes anew cost the relay: mutual-TLS handshake and announcement, beside a bare `node:https`? */
import type { Person } from './support/certificate-fixtures.ts';
import { type Contestant, measureServer, noteResult, reportCpuRatio, runContest } from './support/contest.ts';
import { LoadConnection } from './support/load-connection.ts';
import { runQuestion } from './support/question.ts';
import { startTrackers } from './support/start-trackers.ts';
import { createClients, type TrackerServer } from './support/tracker-server.ts';

/** Handshakes under way at once: enough that the server never waits for the load. */
const concurrency = 8;

await runQuestion('new-connection', async (bench) => {
  const people = createClients();
  await using trackers = await startTrackers(bench, people);
  const { relay, floor, peer } = trackers;
  const toContestant = (server: TrackerServer): Contestant => ({
    name: server.name,
    runRound: async () =>
      await measureServer(
        server.process,
        async () => await comeAndGo(server, people, bench.seconds, bench.signal),
      ),
  });
  const results = await runContest(
    { relay: toContestant(relay), floor: toContestant(floor), ...(peer && { peer: toContestant(peer) }) },
    bench,
  );
  for (const result of Object.values(results)) noteResult(bench, result);
  reportCpuRatio(bench, results.relay, results.floor, { kind: 'atMost', limit: 1.15 });
  if (results.peer !== undefined) reportCpuRatio(bench, results.relay, results.peer);
});

/** For `seconds`, clients connect, announce themselves and leave; resolves to how many did. */
async function comeAndGo(
  server: TrackerServer,
  people: readonly Person[],
  seconds: number,
  signal: AbortSignal,
): Promise<number> {
  const endMs = performance.now() + seconds * 1000;
  let visits = 0;
  const visitors = Array.from({ length: concurrency }, async (_, visitor) => {
    for (let turn = visitor; performance.now() < endMs; turn += concurrency) {
      signal.throwIfAborted();
      const person = people[turn % people.length] as Person;
      await using connection = await LoadConnection.open(person, server.port);
      const status = await connection.ask(server.readyRequest(person));
      if (status !== server.readyStatus) {
        throw new Error(`Cannot announce ${person.email} at ${server.name}: status ${status}`);
      }
      visits++;
    }
  });
  await Promise.all(visitors);
  return visits;
}
