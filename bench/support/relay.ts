import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { relayRequests } from './bare-tracker.ts';
import { flashbackProgram, readEvent } from './flashback.ts';
import type { Bench } from './question.ts';
import { ServerProcess } from './server-process.ts';
import type { TrackerServer } from './tracker-server.ts';

/**
 * More than any bench asks of one certificate. The limit stays on and does its work at each request; only its height
 * is changed, since 64 clients that saturate a core each ask hundreds of times more than a client may.
 */
const clientRequestsPerSecond = 1_000_000;

export interface Relay extends TrackerServer {
  /** With the fingerprint, as `flashback init --relay` takes it. */
  readonly url: string;
}

/** Starts `flashback relay` on SQLite in the bench's folder, as an operator would but for the limit per client. */
export async function startRelay(bench: Bench): Promise<Relay> {
  const server = ServerProcess.spawn({
    name: 'relay',
    command: process.execPath,
    args: [
      flashbackProgram,
      'relay',
      ['--port', '0'],
      ['--data', mkdtempSync(join(bench.folder, 'relay-'))],
      ['--tracker-rate', String(clientRequestsPerSecond)],
      '--json',
    ].flat(),
    core: bench.cores?.server,
    signal: bench.signal,
  });
  const { url, port } = await server.readyLine(readListening);
  return {
    name: server.name,
    process: server,
    url,
    port,
    ...relayRequests,
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

function readListening(line: string): { url: string; port: number } | undefined {
  const event = readEvent(line, 'listening');
  if (event === undefined) return undefined;
  return { url: String(event['url']), port: Number(event['port']) };
}
