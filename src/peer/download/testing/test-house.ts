import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import pino from 'pino';
import type { Identity } from '../../../identity/key-store.ts';
import { testIdentity } from '../../../identity/testing/test-identity.ts';
import { temporaryFolder } from '../../../util/testing/temporary-folder.ts';
import { createHouse } from '../../house/create-house.ts';
import { plant, type Tree } from '../../house/testing/house-fixture.ts';
import { httpsServer, type TestHttpsServer } from '../../testing/https-server.ts';
import { HouseClient } from '../../visit/house-client.ts';

/** Answers in the house's place, or changes the answer: true when the house shall not answer. */
type Interference = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface TestHouse extends AsyncDisposable {
  readonly server: TestHttpsServer;
  /** The folder it shares. */
  readonly root: string;
  /** An empty folder on the visitor's machine. */
  readonly downloads: string;
  readonly owner: Identity;
  /** Undefined: the house is honest. */
  interfere: Interference | undefined;
  /** A visit to it; the caller disposes it. */
  client(): HouseClient;
}

const owner = await testIdentity('owner@example.com');
const guest = await testIdentity('visitor@example.com');

/** The real house behind a real TLS server on loopback, whose answers a test can spoil. */
export async function openTestHouse(
  tree: Tree = {},
  settings: { readonly showHidden?: boolean } = {},
): Promise<TestHouse> {
  const folder = await temporaryFolder();
  const root = join(folder.path, 'house');
  const downloads = join(folder.path, 'downloads');
  await plant(root, tree);
  await plant(downloads, {});
  const house = await createHouse(
    { root, allowPrograms: false, showHidden: false, ...settings },
    pino({ level: 'silent' }),
  );
  const server = await httpsServer(owner, (request, response) => {
    if (test.interfere?.(request, response) === true) return;
    void house.handle(request, response, {
      email: guest.claims.email,
      fingerprint: guest.claims.fingerprint,
    });
  });
  const test: TestHouse = {
    server,
    root,
    downloads,
    owner,
    interfere: undefined,
    client: () =>
      new HouseClient({
        host: server.host,
        port: server.port,
        expected: { kind: 'pinned', fingerprints: [owner.claims.fingerprint] },
        identity: guest,
        via: 'direct',
      }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await house[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
  return test;
}

/** Lets `bytes` of the body out and then nothing more, with the connection open. */
export function stallAfter(response: ServerResponse, bytes: number): void {
  let left = bytes;
  const write = response.write.bind(response);
  response.write = (chunk: unknown, ...rest: unknown[]): boolean => {
    const part = Buffer.isBuffer(chunk) ? chunk.subarray(0, left) : Buffer.alloc(0);
    left -= part.length;
    // Without its callback the house never hears that the bytes have left, and waits.
    return (write as (...parameters: unknown[]) => boolean)(part, ...(left > 0 ? rest : []));
  };
}

/** Changes the bytes of a body as they leave: `change` may write to what it is given. */
export function spoilBody(response: ServerResponse, change: (chunk: Buffer, position: number) => void): void {
  let position = 0;
  const write = response.write.bind(response);
  response.write = (chunk: unknown, ...rest: unknown[]): boolean => {
    const copy = Buffer.from(chunk as Buffer);
    change(copy, position);
    position += copy.length;
    return (write as (...parameters: unknown[]) => boolean)(copy, ...rest);
  };
}

/** Where the bytes of an answer begin in the file. */
export function rangeStart(request: IncomingMessage): number {
  return Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
}

export function isRequestFor(route: string, { url }: IncomingMessage): boolean {
  return url?.startsWith(`/${route}/`) === true;
}

/** Lets `bytes` of the body out, then cuts the connection. */
export function cutAfter(response: ServerResponse, bytes: number): void {
  let left = bytes;
  const write = response.write.bind(response);
  response.write = (chunk: unknown, ...rest: unknown[]): boolean => {
    const part = Buffer.isBuffer(chunk) ? chunk.subarray(0, left) : Buffer.alloc(0);
    left -= part.length;
    if (left > 0) return (write as (...parameters: unknown[]) => boolean)(chunk, ...rest);
    // What was let out shall arrive: the end of the connection follows it.
    write(part, () => response.socket?.destroySoon());
    const done = rest.find((each) => typeof each === 'function');
    if (typeof done === 'function') process.nextTick(done);
    return true;
  };
}
