import { createPeople, type Person } from './certificate-fixtures.ts';
import { LoadConnection } from './load-connection.ts';
import type { ServerProcess } from './server-process.ts';

/** A server that clients announce themselves at and look each other up: the relay, its floor, its peer. */
export interface TrackerServer extends AsyncDisposable {
  readonly name: string;
  readonly process: ServerProcess;
  readonly port: number;
  readonly readyStatus: number;
  /** Announces the usual addresses at a port, {@link announcedPort} unless told. */
  readonly readyRequest: (person: Person, port?: number) => Buffer;
  readonly lookupRequest: (person: Person) => Buffer;
  /** Makes the server know a person; undefined where the first announcement does. Answered with 200. */
  readonly registerRequest: ((person: Person) => Buffer) | undefined;
}

/** Every lookup and announcement of the tracker questions comes from so many clients, each on its own connection. */
export const clientCount = 64;

/** What every person announces: a port, and the addresses of an ordinary laptop. */
export const announcedPort = 54_321;
export const announcedAddresses = ['192.168.1.50', 'fd12:3456:789a::50', '203.0.113.50'] as const;

/** The 64 clients of the tracker questions. */
export function createClients(): readonly Person[] {
  return createPeople(clientCount, 'client');
}

/** Opens a connection for each person, a few at a time. */
export async function openConnections(
  people: readonly Person[],
  port: number,
): Promise<readonly LoadConnection[]> {
  const connections: LoadConnection[] = [];
  await forEachLimited(people, async (person) => {
    connections.push(await LoadConnection.open(person, port));
  });
  return connections;
}

export async function closeConnections(connections: readonly LoadConnection[]): Promise<void> {
  await Promise.all(connections.map(async (connection) => await connection[Symbol.asyncDispose]()));
}

/** Registers and announces each person on a connection of its own, and hands the open connections back. */
export async function enter(
  server: TrackerServer,
  people: readonly Person[],
): Promise<readonly LoadConnection[]> {
  const connections: LoadConnection[] = [];
  await forEachLimited(people, async (person) => {
    const connection = await LoadConnection.open(person, server.port);
    connections.push(connection);
    if (server.registerRequest !== undefined) {
      expectStatus(server, 'register', await connection.ask(server.registerRequest(person)), 200);
    }
    expectStatus(server, 'ready', await connection.ask(server.readyRequest(person)), server.readyStatus);
  });
  return connections;
}

function expectStatus(server: TrackerServer, what: string, status: number, expected: number): void {
  if (status !== expected) throw new Error(`Cannot fill ${server.name}: ${what} was answered with ${status}`);
}

/** More handshakes at once would only wait for the server's one core. */
const concurrencyMax = 16;

async function forEachLimited<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const workers = Array.from({ length: concurrencyMax }, async () => {
    for (const item of queue) await work(item);
  });
  await Promise.all(workers);
}
