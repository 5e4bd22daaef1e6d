import { startBareTracker } from './bare-tracker.ts';
import type { Person } from './certificate-fixtures.ts';
import { startDiscosrv } from './discosrv.ts';
import type { Bench } from './question.ts';
import { startRelay } from './relay.ts';
import { closeConnections, enter, type TrackerServer } from './tracker-server.ts';

/** The servers of a tracker question; its peer is there where it is installed. */
export interface Trackers extends AsyncDisposable {
  readonly relay: TrackerServer;
  readonly floor: TrackerServer;
  readonly peer: TrackerServer | undefined;
}

/** Starts all of them and announces `people` at each. */
export async function startTrackers(bench: Bench, people: readonly Person[]): Promise<Trackers> {
  await using cleanup = new AsyncDisposableStack();
  const relay = cleanup.use(await startRelay(bench));
  const floor = cleanup.use(await startBareTracker(bench));
  const peer = await startDiscosrv(bench);
  if (peer !== undefined) cleanup.use(peer);
  for (const server of [relay, floor, peer]) {
    if (server === undefined) continue;
    const connections = await enter(server, people);
    bench.note(`  ${server.name}: ${connections[0]?.security ?? 'no connection'}`);
    await closeConnections(connections);
  }
  const owned = cleanup.move();
  return { relay, floor, peer, [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
}
