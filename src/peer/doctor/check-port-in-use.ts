import { createServer } from 'node:net';
import type { Finding } from '../../wire/local-api.ts';
import type { Settings } from '../../wire/settings.ts';
import { listenInRange, type PortRange, parsePortRange } from '../port/port-range.ts';
import { failure, fine, reasonOf, warning } from './finding.ts';

const check = 'port';

type PortSettings = Pick<Settings, 'housePort' | 'houseInterface'>;

/**
 * Is a fixed port free, or does the running house have it?
 *
 * @param runningPort of the house, when the daemon runs.
 */
export async function checkPortInUse(
  { housePort, houseInterface }: PortSettings,
  runningPort: number | undefined,
): Promise<Finding> {
  if (housePort === 0) return fine(check, 'any free one will do');
  const range = parsePortRange(housePort);
  const isWithin = runningPort !== undefined && runningPort >= range.first && runningPort <= range.last;
  if (typeof housePort === 'string')
    return isWithin
      ? fine(check, `the house has ${runningPort}, of ${housePort}`)
      : checkRange(housePort, range, houseInterface);
  if (runningPort === housePort) return fine(check, `the house has ${housePort}`);
  // A house that found its port taken runs on the next one, where nobody who was told the port looks.
  const isFree = await canListen({ first: housePort, last: housePort }, houseInterface);
  if (isFree === true) return fine(check, `${housePort} is free`);
  return warning(check, {
    code: 'port_in_use',
    message: `Another program has the port ${housePort} that you chose for your house${runningPort === undefined ? '' : `, which is on ${runningPort} now`}`,
    advice: `Stop that program, or choose another port: flashback config set housePort PORT. Until then the next free one is taken, and a router that forwards ${housePort} forwards to the wrong program`,
  });
}

async function checkRange(
  setting: string,
  range: PortRange,
  interfaces: Settings['houseInterface'],
): Promise<Finding> {
  const isFree = await canListen(range, interfaces);
  if (isFree === true) return fine(check, `one of ${setting} is free`);
  return failure(check, {
    code: 'port_in_use',
    message: `No port of ${setting} is free for your house`,
    advice: 'Stop the programs that have them, or choose others: flashback config set housePort PORT',
  });
}

/** @returns true, or why not. */
async function canListen(range: PortRange, interfaces: Settings['houseInterface']): Promise<true | string> {
  const server = createServer();
  try {
    await listenInRange(server, range, interfaces);
    return true;
  } catch (error) {
    return reasonOf(error);
  } finally {
    server.close();
  }
}
