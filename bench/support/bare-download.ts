import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FileServer, FileServerOptions } from './file-server.ts';
import type { Bench } from './question.ts';
import { writeServerCertificate } from './server-certificate.ts';
import { ServerProcess } from './server-process.ts';

const program = fileURLToPath(new URL('../floors/bare-download.ts', import.meta.url));

/** Starts the floor: `bench/floors/bare-download.ts`. */
export async function startBareDownload(
  bench: Bench,
  { root, fileName }: FileServerOptions,
): Promise<FileServer> {
  const { certificatePath, keyPath } = writeServerCertificate(bench.folder, 'bare-download');
  const server = ServerProcess.spawn({
    name: 'bare node:https',
    command: process.execPath,
    args: [program, certificatePath, keyPath, join(root, fileName)],
    core: bench.cores?.server,
    signal: bench.signal,
  });
  const port = await server.readyLine((line) => (JSON.parse(line) as { port: number }).port);
  return {
    name: server.name,
    process: server,
    fileUrl: `https://127.0.0.1:${port}/${fileName}`,
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}
