/**
 * The floor under the house's downloads: bare `node:https` with mutual TLS that sends one file, whole, from a file
 * handle through two buffers in turns. It checks nothing and knows no ranges.
 *
 * Usage: bare-download.ts CERTIFICATE.pem KEY.pem FILE; prints {"port":N} when it listens.
 */
import { readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';

/** 64 KiB costs the server twice the CPU; more than this brings nothing. */
const readBytes = 512 * 1024;

const [certificatePath = '', keyPath = '', filePath = ''] = process.argv.slice(2);
const file = await open(filePath);

const server = createServer(
  {
    cert: readFileSync(certificatePath),
    key: readFileSync(keyPath),
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
  },
  (_, response) => {
    send(file, response).catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : undefined),
    );
  },
);
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify(server.address()));
});

/** While one buffer is being sent, the other is filled; a buffer is used again once its bytes have left. */
async function send(handle: FileHandle, response: ServerResponse): Promise<void> {
  const { size } = await handle.stat();
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': size });
  const buffers = [Buffer.allocUnsafeSlow(readBytes), Buffer.allocUnsafeSlow(readBytes)] as const;
  const sent: [Promise<void>, Promise<void>] = [Promise.resolve(), Promise.resolve()];
  let position = 0;
  for (let turn: 0 | 1 = 0; position < size; turn = turn === 0 ? 1 : 0) {
    await sent[turn];
    const { bytesRead } = await handle.read(buffers[turn], 0, readBytes, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    sent[turn] = write(response, buffers[turn].subarray(0, bytesRead));
  }
  await Promise.all(sent);
  response.end();
}

async function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  response.write(bytes, (error) => (error ? reject(error) : resolve()));
  await promise;
}
