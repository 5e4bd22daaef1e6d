import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localApiAccessFileName } from '../../wire/local-api.ts';
import { type TestContext, type TestContextOptions, testContext } from './test-context.ts';

export type FakeAnswer = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface FakeDaemon extends AsyncDisposable {
  /** A command that finds this daemon. */
  readonly context: TestContext;
  readonly port: number;
}

/** A daemon's local API that answers as the test says, and has left word of itself. */
export async function fakeDaemon(
  answer: FakeAnswer,
  options: Omit<TestContextOptions, 'home'> = {},
): Promise<FakeDaemon> {
  const home = await mkdtemp(join(tmpdir(), 'flashback-test-'));
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A listening TCP server has this form of address.
  const { port } = server.address() as AddressInfo;
  await writeAccess(home, port);
  return {
    context: testContext({ ...options, home }),
    port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Writes the word that a daemon leaves of itself. */
export async function writeAccess(home: string, port: number, pid = process.pid): Promise<void> {
  await mkdir(home, { recursive: true });
  const access = { url: `http://127.0.0.1:${port}`, token: 'the-token', pid };
  await writeFile(join(home, localApiAccessFileName), JSON.stringify(access));
}
