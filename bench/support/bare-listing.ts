import { fileURLToPath } from 'node:url';
import type { Bench } from './question.ts';
import { writeServerCertificate } from './server-certificate.ts';
import { ServerProcess } from './server-process.ts';

const program = fileURLToPath(new URL('../floors/bare-listing.ts', import.meta.url));

export interface BareListing extends AsyncDisposable {
  readonly process: ServerProcess;
  readonly port: number;
}

/** Starts the floor: `bench/floors/bare-listing.ts`, with pages of `entries`. */
export async function startBareListing(bench: Bench, root: string, entries: number): Promise<BareListing> {
  const { certificatePath, keyPath } = writeServerCertificate(bench.folder, 'bare-listing');
  const server = ServerProcess.spawn({
    name: 'bare node:https',
    command: process.execPath,
    args: [program, certificatePath, keyPath, root, String(entries)],
    core: bench.cores?.server,
    signal: bench.signal,
  });
  const port = await server.readyLine((line) => (JSON.parse(line) as { port: number }).port);
  return { process: server, port, [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose]() };
}
