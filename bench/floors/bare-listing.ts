/**
 * The floor under the house's folder pages: bare `node:https` with mutual TLS that reads the whole folder, orders it
 * by the names' bytes, looks at the first entries and answers with them. No paging, no checks, nothing kept.
 *
 * Usage: bare-listing.ts CERTIFICATE.pem KEY.pem FOLDER ENTRIES; prints {"port":N} when it listens.
 */
import { readFileSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';

const [certificatePath = '', keyPath = '', folder = '', entriesText = ''] = process.argv.slice(2);

const server = createServer(
  {
    cert: readFileSync(certificatePath),
    key: readFileSync(keyPath),
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
  },
  (_, response) => {
    list(response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  },
);
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify(server.address()));
});

async function list(response: ServerResponse): Promise<void> {
  const names = await readdir(folder, { encoding: 'buffer' });
  names.sort((left, right) => Buffer.compare(left, right));
  const entries = await Promise.all(
    names.slice(0, Number(entriesText)).map(async (bytes) => {
      const name = bytes.toString();
      const status = await lstat(join(folder, name));
      const type = status.isDirectory() ? 'directory' : 'file';
      return { name, type, size: status.size, modified: status.mtime.toISOString() };
    }),
  );
  const text = JSON.stringify({ path: '', entries });
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}
