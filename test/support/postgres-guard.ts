/**
 * A process that owns one temporary PostgreSQL server: it makes the data folder, starts the server, and when its own
 * standard input ends it stops the server and removes the folder. The input is a pipe from the test process, which
 * the operating system closes however that process ends, so `kill -9` of a test leaves nothing behind.
 *
 * Standard input takes commands, a line each (`stop`, `start`); each is answered by a line, and the first line is the
 * answer to starting: `GuardAnswer` as JSON. Started by postgres.ts.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

export type GuardAnswer = { readonly url: string } | { readonly error: string };

/** PostgreSQL refuses to run as root. This user exists on every Unix, which initdb wants. */
const nobodyId = 65_534;
const isRoot = process.getuid?.() === 0;
const asUser = isRoot ? { uid: nobodyId, gid: nobodyId } : {};

/** A start takes a fraction of a second; after this it will not come. */
const startTimeoutMs = 60_000;

const explanationLinesMax = 50;

/** Durability is not what tests of the relay test, and memory is short where many of them run. */
const settings = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  shared_buffers: '64MB',
  max_connections: '100',
  // Unix sockets of folders with long names do not work; loopback does everywhere.
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  log_min_messages: 'log',
};

const [binary] = process.argv.slice(2);
if (binary === undefined) throw new Error('Cannot start PostgreSQL: the path of its binary is missing');
const folder = mkdtempSync(join(tmpdir(), 'flashback-postgres-'));
if (isRoot) chownSync(folder, nobodyId, nobodyId);
const dataFolder = join(folder, 'data');

// Ctrl-C reaches the whole process group; the end of the input is what counts here.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.stdout.on('error', () => undefined);

let server: ChildProcess | undefined;
const commands = createInterface({ input: process.stdin });
commands.on('close', () => void end());
await run(readableBinary(binary));

async function run(program: string): Promise<void> {
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await answerAfter(url, async () => {
    initialise(program);
    await start(program, port);
  });
  // One command at a time: the other side waits for each answer.
  commands.on('line', (command) => {
    void answerAfter(url, () => (command === 'stop' ? stop('SIGINT') : start(program, port)));
  });
}

async function answerAfter(url: string, work: () => Promise<void>): Promise<void> {
  let message: GuardAnswer = { url };
  try {
    await work();
  } catch (error) {
    message = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function end(): Promise<never> {
  await stop('SIGQUIT');
  rmSync(folder, { recursive: true, force: true });
  process.exit();
}

/**
 * The binaries, or a copy of them in the temporary folder when the other user cannot reach them (under /root, say).
 */
function readableBinary(program: string): string {
  if (spawnSync(program, ['--version'], asUser).status === 0) return program;
  const copy = join(folder, 'native');
  cpSync(dirname(dirname(program)), copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, 'bin', 'postgres');
}

function initialise(program: string): void {
  const options = [
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
    '--no-instructions',
  ];
  const extension = process.platform === 'win32' ? '.exe' : '';
  const initdb = join(dirname(program), `initdb${extension}`);
  if (!existsSync(initdb)) throw new Error(`Cannot start PostgreSQL: there is no ${initdb}`);
  const result = spawnSync(initdb, ['-D', dataFolder, ...options], {
    ...asUser,
    cwd: folder,
    encoding: 'utf8',
    timeout: startTimeoutMs,
  });
  if (result.status !== 0) throw new Error(`initdb failed: ${result.error ?? result.stderr}`);
}

async function start(program: string, port: number): Promise<void> {
  const options = Object.entries({ ...settings, port }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const child = spawn(program, ['-D', dataFolder, ...options], {
    ...asUser,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  server = child;
  await readiness(child, createInterface({ input: child.stderr }));
}

/**
 * Its messages are read to the end, because a full pipe would stop the server; the ones before it was ready explain a
 * failure.
 */
function readiness(child: ChildProcess, messages: Interface): Promise<void> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    const timer = setTimeout(() => child.kill('SIGQUIT'), startTimeoutMs);
    const explain = (): void => reject(new Error(`PostgreSQL did not start: ${said.join('\n')}`));
    messages.on('line', (line) => {
      if (said.length < explanationLinesMax) said.push(line);
      if (!line.includes('database system is ready to accept connections')) return;
      clearTimeout(timer);
      resolve();
    });
    messages.once('close', explain);
    child.once('error', explain);
  });
}

async function stop(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
  if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, 'exit');
  server.kill(signal);
  await exit;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('Cannot find a free port');
  return address.port;
}
