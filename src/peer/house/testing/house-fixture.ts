import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pino from 'pino';
import type { PathHolder } from '../../../util/platform/handle-path.ts';
import { createHouse, type House } from '../create-house.ts';
import type { HouseSettings } from '../shared-folder.ts';
import type { HouseVisitor } from '../visitor.ts';
import { type RawAnswer, RawConnection } from './raw-http.ts';

/** Stands in files outside the house; must never stand in an answer. */
export const canary = 'CANARY-7f3a-outside-the-house';

const visitor: HouseVisitor = { email: 'visitor@example.com', fingerprint: 'aa'.repeat(32) };

/** Content by path; a path that ends in `/` is a folder. */
export type Tree = Readonly<Record<string, string | Buffer>>;

export interface HouseFixtureOptions {
  readonly tree?: Tree;
  readonly settings?: Partial<HouseSettings>;
  readonly hold?: PathHolder;
  /** Where many files cost little: a memory disk where the system has one. */
  readonly onMemoryDisk?: boolean;
  /** Who each request comes from; by default always `visitor`. */
  readonly visitorOf?: () => HouseVisitor;
}

/** A house behind a real HTTP server on loopback, and a folder outside it with the canary. */
export interface HouseFixture extends AsyncDisposable {
  /** Holds `root` and `outside`. */
  readonly base: string;
  readonly root: string;
  readonly outside: string;
  readonly house: House;
  readonly port: number;
  /** One request on a connection of its own, its target exactly as given. */
  ask(target: string, headers?: Readonly<Record<string, string>>, method?: string): Promise<RawAnswer>;
  connect(): Promise<RawConnection>;
}

export async function openHouse(options: HouseFixtureOptions = {}): Promise<HouseFixture> {
  const base = await realpath(
    await mkdtemp(join(options.onMemoryDisk === true ? memoryDisk() : tmpdir(), 'flashback-house-')),
  );
  const [root, outside] = [join(base, 'root'), join(base, 'outside')];
  await mkdir(root);
  await plant(outside, { 'secret.txt': canary, 'folder/deep.txt': canary, 'setup.exe': canary });
  await plant(root, options.tree ?? {});
  const settings = { root, allowPrograms: false, showHidden: false, ...options.settings };
  const house = await createHouse(settings, pino({ level: 'silent' }), options.hold);
  const server = createServer((request, response) => {
    void house.handle(request, response, options.visitorOf?.() ?? visitor);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    base,
    root,
    outside,
    house,
    port,
    connect: () => RawConnection.open(port),
    async ask(target, headers = {}, method = 'GET') {
      await using connection = await RawConnection.open(port);
      return await connection.ask(target, { ...headers, Connection: 'close' }, method);
    },
    async [Symbol.asyncDispose]() {
      await house[Symbol.asyncDispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(base, { recursive: true, force: true });
    },
  };
}

function memoryDisk(): string {
  return existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
}

/** Makes files and folders below `folder`. */
export async function plant(folder: string, tree: Tree): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [path, content] of Object.entries(tree)) {
    const place = join(folder, path);
    await mkdir(path.endsWith('/') ? place : dirname(place), { recursive: true });
    if (!path.endsWith('/')) await writeFile(place, content);
  }
}
