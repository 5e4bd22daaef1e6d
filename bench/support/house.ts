import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { relayRequests } from './bare-tracker.ts';
import type { Person } from './certificate-fixtures.ts';
import { flashbackProgram, readEvent, runFlashback } from './flashback.ts';
import { LoadConnection } from './load-connection.ts';
import type { Bench } from './question.ts';
import type { Relay } from './relay.ts';
import { ServerProcess } from './server-process.ts';

/** A running daemon: `flashback up` with a house that admits everybody registered at the relay. */
export interface House extends AsyncDisposable {
  readonly process: ServerProcess;
  readonly email: string;
  readonly port: number;
  /** Its data folder (`FLASHBACK_HOME`), for commands that talk to it. */
  readonly home: string;
}

export interface HouseOptions {
  readonly relay: Relay;
  readonly email: string;
  /** The folder it shows. */
  readonly root: string;
  readonly core: number | undefined;
}

/** Makes an identity and starts its daemon; resolves when the daemon says that it is ready. */
export async function startHouse(bench: Bench, { relay, email, root, core }: HouseOptions): Promise<House> {
  const home = mkdtempSync(join(bench.folder, 'home-'));
  const { signal } = bench;
  const initArgs = ['init', '--email', email, '--relay', relay.url, '--house', root, '--json'];
  await runFlashback({ args: initArgs, home, core: undefined, signal });
  const server = ServerProcess.spawn({
    name: 'house',
    command: process.execPath,
    args: [flashbackProgram, 'up', '--json', '--policy', 'registered', '--ui-port', '0'],
    env: { FLASHBACK_HOME: home },
    core,
    signal,
  });
  const ready = await server.readyLine((line) => readEvent(line, 'ready'));
  return {
    process: server,
    email,
    port: Number(ready['port']),
    home,
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

/** Makes a fixture identity one that a house with the policy `registered` admits. */
export async function registerVisitor(relay: Relay, visitor: Person): Promise<void> {
  await using connection = await LoadConnection.open(visitor, relay.port);
  const status = await connection.ask(relayRequests.registerRequest(visitor));
  if (status !== 200) throw new Error(`Cannot register ${visitor.email}: the relay answered with ${status}`);
}
