import { fileURLToPath } from 'node:url';
import type { Person } from './certificate-fixtures.ts';
import { encodeRequest } from './http-request.ts';
import type { Bench } from './question.ts';
import { writeServerCertificate } from './server-certificate.ts';
import { ServerProcess } from './server-process.ts';
import { announcedAddresses, announcedPort, type TrackerServer } from './tracker-server.ts';

const program = fileURLToPath(new URL('../floors/bare-https.ts', import.meta.url));

/** Starts the floor: `bench/floors/bare-https.ts`. */
export async function startBareTracker(bench: Bench): Promise<TrackerServer> {
  const { certificatePath, keyPath } = writeServerCertificate(bench.folder, 'bare-https');
  const server = ServerProcess.spawn({
    name: 'bare node:https',
    command: process.execPath,
    args: [program, certificatePath, keyPath],
    core: bench.cores?.server,
    signal: bench.signal,
  });
  const port = await server.readyLine((line) => (JSON.parse(line) as { port: number }).port);
  return {
    name: server.name,
    process: server,
    port,
    ...relayRequests,
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

/** The published tracker protocol, which the floor and the relay speak. */
export const relayRequests = {
  readyStatus: 200,
  registerRequest: ({ email, certificatePem }: Person) =>
    encodeRequest('POST', '/api/relay/register', { email, certificate: certificatePem }),
  readyRequest: (_: Person, port: number = announcedPort) =>
    encodeRequest('POST', '/api/relay/broadcast/ready', { port, addresses: announcedAddresses }),
  lookupRequest: ({ email }: Person) =>
    encodeRequest('GET', `/api/relay/broadcast/lookup?email=${encodeURIComponent(email)}`),
};
