import type { Person } from './certificate-fixtures.ts';
import {
  type Contestant,
  measureServer,
  noteResult,
  type Round,
  reportCpuRatio,
  runContest,
} from './contest.ts';
import type { Goal } from './figure.ts';
import type { Bench } from './question.ts';
import { saturate } from './saturate.ts';
import { startTrackers } from './start-trackers.ts';
import { closeConnections, createClients, openConnections, type TrackerServer } from './tracker-server.ts';

/** The requests of a round, by connection and turn, and the only status that counts. */
interface TrackerLoad {
  readonly status: number;
  readonly request: (connection: number, turn: number) => Buffer;
}

export interface TrackerQuestion {
  readonly prepare: (server: TrackerServer, people: readonly Person[]) => TrackerLoad;
  readonly floorGoal: Goal;
  readonly peerGoal: Goal;
  /** Another load for the relay alone, compared with the floor for information. */
  readonly variant?: { readonly name: string; readonly prepare: TrackerQuestion['prepare'] };
}

/** Before a round is measured its connections are used for so long, so that their first reads are behind them. */
const warmUpSeconds = 0.2;

/** Asks one request of the relay, its floor and its peer over 64 keep-alive mutual-TLS connections each. */
export async function askTracker(bench: Bench, question: TrackerQuestion): Promise<void> {
  const { prepare, variant, floorGoal, peerGoal } = question;
  const people = createClients();
  await using trackers = await startTrackers(bench, people);
  const { relay, floor, peer } = trackers;
  const measure = async (server: TrackerServer, load: TrackerLoad): Promise<Round> => {
    const connections = await openConnections(people, server.port);
    await saturate({ connections, ...load, seconds: warmUpSeconds, signal: bench.signal });
    const { seconds, signal } = bench;
    const round = await measureServer(
      server.process,
      async () => await saturate({ connections, ...load, seconds, signal }),
    );
    await closeConnections(connections);
    return round;
  };
  const toContestant = (server: TrackerServer, name = server.name, prepareLoad = prepare): Contestant => {
    const load = prepareLoad(server, people);
    return { name, runRound: async () => await measure(server, load) };
  };
  const contestants = {
    relay: toContestant(relay),
    floor: toContestant(floor),
    ...(peer && { peer: toContestant(peer) }),
    ...(variant && { variant: toContestant(relay, variant.name, variant.prepare) }),
  };
  const results = await runContest(contestants, bench);
  for (const result of Object.values(results)) noteResult(bench, result);
  reportCpuRatio(bench, results.relay, results.floor, floorGoal);
  if (results.peer !== undefined) reportCpuRatio(bench, results.relay, results.peer, peerGoal);
  if (results.variant !== undefined) reportCpuRatio(bench, results.variant, results.floor);
}
