import { join } from 'node:path';
import type { Person } from './certificate-fixtures.ts';
import { findProgram } from './find-program.ts';
import { findFreePort } from './free-port.ts';
import { encodeRequest } from './http-request.ts';
import type { Bench } from './question.ts';
import { writeServerCertificate } from './server-certificate.ts';
import { ServerProcess } from './server-process.ts';
import { announcedAddresses, announcedPort, type TrackerServer } from './tracker-server.ts';

/**
 * Starts Syncthing's discovery server, the peer of the tracker, with a P-256 certificate (it would make itself a
 * P-384 one, which costs twice as much a handshake) and its database in the bench's folder. `undefined`, with a
 * note, when it is not installed.
 */
export async function startDiscosrv(bench: Bench): Promise<TrackerServer | undefined> {
  const command = findProgram('stdiscosrv');
  if (command === undefined) {
    bench.note(
      'comparison with discosrv skipped: stdiscosrv is not installed (apt install syncthing-discosrv)',
    );
    return undefined;
  }
  const { folder, certificatePath, keyPath } = writeServerCertificate(bench.folder, 'discosrv');
  const port = await findFreePort();
  const server = ServerProcess.spawn({
    name: 'discosrv',
    command,
    args: [
      ['-listen', `127.0.0.1:${port}`],
      ['-replication-listen', '127.0.0.1:0'],
      ['-db-dir', join(folder, 'database')],
      ['-cert', certificatePath],
      ['-key', keyPath],
    ].flat(),
    cwd: folder,
    core: bench.cores?.server,
    signal: bench.signal,
  });
  await server.readyPort(port);
  return {
    name: server.name,
    process: server,
    port,
    readyStatus: 204,
    registerRequest: undefined,
    readyRequest: (_, announced = announcedPort) => {
      const addresses = announcedAddresses.map((address) => toSyncthingAddress(address, announced));
      return encodeRequest('POST', '/v2/', { addresses });
    },
    lookupRequest: (person) => encodeRequest('GET', `/v2/?device=${deviceIdOf(person)}`),
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

function toSyncthingAddress(address: string, port: number): string {
  return `tcp://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

const base32Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** A device is named by the SHA-256 of its certificate in base32 without padding: 52 characters (check digits are optional). */
function deviceIdOf({ fingerprint }: Person): string {
  const bits = [...Buffer.from(fingerprint, 'hex')].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const groups = bits.match(/.{1,5}/g) ?? [];
  return groups.map((group) => base32Alphabet[Number.parseInt(group.padEnd(5, '0'), 2)]).join('');
}
