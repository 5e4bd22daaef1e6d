import type { Server } from 'node:net';

/** Ports to try in turn, both ends included; `0` alone is any free port. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
  /** Tried before the others. */
  readonly preferred?: number;
}

/** How many ports above a taken fixed one are tried: the same distance that people expect of a development server. */
const portsAfterFixedMax = 20;

/**
 * Reads the `housePort` setting: `0`, a port (and the next ones when it is taken), or `"first-last"`.
 *
 * @param lastPort where the house was before: with `0` it goes there again if it can, so that friends who know that
 * address find it while the relay is away.
 */
export function parsePortRange(setting: number | string, lastPort?: number): PortRange {
  if (setting === 0) return { first: 0, last: 0, ...(lastPort !== undefined && { preferred: lastPort }) };
  if (typeof setting === 'number')
    return { first: setting, last: Math.min(65_535, setting + portsAfterFixedMax) };
  const [first = 0, last = 0] = setting.split('-').map(Number);
  // So written that what is no number fails, too.
  if (!(first >= 1 && first <= last && last <= 65_535))
    throw new Error(`The house's port range "${setting}" must go from a lower to a higher port, 1 to 65535`);
  return { first, last };
}

/**
 * Listens on the first free port of the range: on all interfaces (IPv6 and IPv4, or IPv4 alone where there is no IPv6), or on loopback.
 *
 * @throws an error that names the range when all are taken.
 */
export async function listenInRange(
  server: Server,
  ports: PortRange,
  interfaces: 'all' | 'loopback',
): Promise<void> {
  const { preferred } = ports;
  if (preferred !== undefined && (await tryListen(server, preferred, interfaces)) === undefined) return;
  for (let port = ports.first; port <= ports.last; port += 1) {
    const problem = await tryListen(server, port, interfaces);
    if (problem === undefined) return;
    if (problem !== 'EADDRINUSE' && problem !== 'EACCES')
      throw new Error(`Cannot open the house's port ${port}: ${problem}`);
  }
  const tried =
    ports.first === ports.last ? `port ${ports.first} is` : `ports ${ports.first} to ${ports.last} are`;
  throw new Error(
    `Cannot open the house: ${tried} in use or not allowed. Choose another with --port, or 0 for any free one`,
  );
}

async function tryListen(
  server: Server,
  port: number,
  interfaces: 'all' | 'loopback',
): Promise<string | undefined> {
  if (interfaces === 'loopback') return listenOn(server, port, '127.0.0.1');
  const problem = await listenOn(server, port, '::');
  return problem === 'EAFNOSUPPORT' || problem === 'EADDRNOTAVAIL'
    ? listenOn(server, port, '0.0.0.0')
    : problem;
}

function listenOn(server: Server, port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      server.removeListener('listening', onListening);
      resolve(error.code ?? error.message);
    };
    const onListening = (): void => {
      server.removeListener('error', onError);
      resolve(undefined);
    };
    server.once('error', onError);
    server.once('listening', onListening);
    server.listen({ port, host });
  });
}
