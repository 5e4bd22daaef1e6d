/** Two people and a relay as real processes, seen through the command line. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type Finished,
  jsonLines,
  listening,
  Program,
  ready,
  runToEnd,
} from '../../scripts/support/program.ts';
import { temporaryFolder } from '../../src/util/testing/temporary-folder.ts';
import { until } from '../support/until.ts';

const launcher = fileURLToPath(new URL('../../bin/flashback.ts', import.meta.url));
const anna = 'anna@example.com';
const ben = 'ben@example.com';
const bigBytes = 48 * 1024 * 1024;

const cleanup = new AsyncDisposableStack();
let folder = '';
let relay: Program;
const daemons: Program[] = [];
const homeOf = (name: string): string => join(folder, name);
const big = randomBytes(bigBytes);

/** Anna lets everybody in whom the relay knows; Ben only friends. */
before(async () => {
  folder = cleanup.use(await temporaryFolder()).path;
  relay = cleanup.use(
    new Program(['relay', '--port', '0', '--data', homeOf('relay'), '--json'], { home: homeOf('operator') }),
  );
  const { url } = await listening(relay);
  for (const [name, email, policy] of [
    ['anna', anna, 'registered'],
    ['ben', ben, 'friends'],
  ] as const) {
    await furnish(homeOf(`${name}-house`));
    await jsonLines(
      ['init', '--email', email, '--relay', url, '--house', homeOf(`${name}-house`), '--policy', policy],
      { home: homeOf(name) },
    );
    const daemon = cleanup.use(new Program(['up', '--json', '--ui-port', '0'], { home: homeOf(name) }));
    daemons.push(daemon);
    await ready(daemon);
  }
  await until('Ben sees Anna', async () => {
    const peers = await jsonLines(['peers'], { home: homeOf('ben') });
    return peers.find((peer) => peer['email'] === anna && peer['status'] === 'online');
  });
});
after(() => cleanup.disposeAsync());

async function furnish(house: string): Promise<void> {
  await mkdir(join(house, 'sub folder', 'deeper'), { recursive: true });
  await writeFile(join(house, 'notes.txt'), 'hello\n');
  await writeFile(join(house, 'sub folder', '🏖️ beach.txt'), 'sand\n');
  await writeFile(join(house, 'sub folder', 'deeper', 'empty'), '');
  await writeFile(join(house, 'big.bin'), big);
}

function asBen(...args: string[]): Promise<Finished> {
  return runToEnd(args, { home: homeOf('ben') });
}

test('status, peers and doctor of a running Flashback are fine', async () => {
  const [status] = await jsonLines(['status'], { home: homeOf('ben') });
  assert.equal(status?.['email'], ben);
  const { status: exitCode, stdout } = await asBen('peers', anna);
  assert.equal(exitCode, 0);
  assert.match(stdout, /^online +anna@example\.com/m);
  const doctor = await asBen('doctor');
  assert.equal(doctor.status, 0, doctor.stdout + doctor.stderr);
  assert.doesNotMatch(doctor.stdout, /^(?:warning|error)/m);
});

test('ls lists a house and a folder in it, in the order of the names', async () => {
  const entries = await jsonLines(['ls', anna], { home: homeOf('ben') });
  assert.deepEqual(
    entries.map(({ name, type, size }) => [name, type, size]),
    [
      ['big.bin', 'file', bigBytes],
      ['notes.txt', 'file', 6],
      ['sub folder', 'directory', 0],
    ],
  );
  const { stdout } = await asBen('ls', `${anna}:/sub folder/`);
  assert.match(stdout, /deeper\/\n.*🏖️ beach\.txt\n$/);
});

test('cat prints a file as it is', async () => {
  assert.equal((await asBen('cat', `${anna}:/sub folder/🏖️ beach.txt`)).stdout, 'sand\n');
});

test('get brings a file, tells its hash, refuses to replace it, and replaces it when told', async () => {
  const target = homeOf('got.bin');
  const lines = await jsonLines(['get', `${anna}:/big.bin`, '-o', target], { home: homeOf('ben') });
  const sha256 = createHash('sha256').update(big).digest('hex');
  assert.deepEqual(lines.at(-1), { event: 'done', path: target, bytes: bigBytes, sha256, via: 'direct' });
  assert.ok(big.equals(await readFile(target)));
  await truncate(target, 1);
  const again = await asBen('get', `${anna}:/big.bin`, '-o', target);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /--force/);
  assert.equal((await stat(target)).size, 1);
  const forced = await asBen('get', `${anna}:/big.bin`, '-o', target, '--force');
  assert.equal(forced.status, 0, forced.stderr);
  assert.ok(big.equals(await readFile(target)));
});

test('ls of a file shows it, and cat of a folder says what it is', async () => {
  const [file, ...more] = await jsonLines(['ls', `${anna}:/sub folder/🏖️ beach.txt`], { home: homeOf('ben') });
  assert.deepEqual([file?.['name'], file?.['size'], more], ['🏖️ beach.txt', 5, []]);
  const { status, stderr } = await asBen('cat', `${anna}:/sub folder`);
  assert.equal(status, 2);
  assert.match(stderr, /sub folder is a folder\n/);
});

test('get -r brings a folder with all that is in it', async () => {
  const target = homeOf('got-folder');
  const lines = await jsonLines(['get', `${anna}:/sub folder`, '-r', '-o', target], { home: homeOf('ben') });
  assert.equal(lines.at(-1)?.event, 'done');
  assert.equal(await readFile(join(target, '🏖️ beach.txt'), 'utf8'), 'sand\n');
  assert.equal((await stat(join(target, 'deeper', 'empty'))).size, 0);
});

test('what is not there exits with 3, who is not there with 3 or 4', async () => {
  assert.equal((await asBen('get', `${anna}:/nope`, '-o', homeOf('nope'))).status, 3);
  assert.equal((await asBen('ls', `${anna}:/nope`)).status, 3);
  assert.equal((await asBen('cat', `${anna}:/nope`)).status, 3);
  const nobody = await asBen('ls', 'nobody@example.com');
  assert.ok(nobody.status === 3 || nobody.status === 4, String(nobody.status));
  await assert.rejects(stat(homeOf('nope')), { code: 'ENOENT' });
});

test('a path that no house can have is wrong usage', async () => {
  assert.equal((await asBen('ls', `${anna}:/../etc`)).status, 2);
});

test('a house that does not know us refuses with 5, until its owner accepts', async () => {
  const asAnna = { home: homeOf('anna') };
  const refused = await runToEnd(['ls', ben, '--json'], asAnna);
  assert.equal(refused.status, 5);
  assert.match(refused.stderr, /"code":"refused"/);
  const [request] = await jsonLines(['friends', 'requests'], { home: homeOf('ben') });
  assert.equal(request?.['email'], anna);
  assert.equal((await asBen('friends', 'accept', anna)).status, 0);
  assert.equal((await runToEnd(['ls', ben], asAnna)).status, 0);
  assert.equal((await asBen('friends', 'remove', anna)).status, 0);
  assert.equal((await runToEnd(['ls', ben], asAnna)).status, 5);
});

test('a closed house exits with 4, and opens again', async () => {
  const asAnna = { home: homeOf('anna') };
  assert.equal((await runToEnd(['share', 'off'], asAnna)).status, 0);
  assert.equal((await asBen('ls', anna)).status, 4);
  assert.equal((await runToEnd(['share', 'on'], asAnna)).status, 0);
  await until('the house is open again', async () =>
    (await asBen('ls', anna)).status === 0 ? true : undefined,
  );
});

test('Ctrl-C ends a download with 130, and the next one goes on', async () => {
  const target = homeOf('interrupted.bin');
  // Larger than what fits into any buffer, and written only as far as it was read: the download is still going on.
  await using download = new Program(['get', `${anna}:/big.bin`, '-o', target, '--json'], {
    home: homeOf('ben'),
  });
  await download.event('started', ({ event }) => event === 'started');
  download.kill('SIGINT');
  const { status } = await download.finished;
  if (status !== 0) {
    assert.equal(status, 130);
    await assert.rejects(stat(target), { code: 'ENOENT' });
  }
  const again = await asBen('get', `${anna}:/big.bin`, '-o', target, '--force');
  assert.equal(again.status, 0, again.stderr);
  assert.ok(big.equals(await readFile(target)));
});

test('a reader that leaves early is no error: ls stops, get goes on', {
  skip: process.platform === 'win32',
}, async () => {
  await mkdir(join(homeOf('anna-house'), 'many'), { recursive: true });
  for (let index = 0; index < 3000; index += 1)
    await writeFile(join(homeOf('anna-house'), 'many', `file-${index}`), '');
  const listing = await throughHead(['ls', `${anna}:/many`, '--json']);
  assert.deepEqual([listing.status, listing.stderr], [0, '']);
  assert.match(listing.stdout, /^\{"name":"file-0".*\n$/);
  const target = homeOf('after-head.bin');
  const download = await throughHead(['get', `${anna}:/big.bin`, '-o', target, '--json']);
  assert.deepEqual([download.status, download.stderr], [0, '']);
  assert.ok(big.equals(await readFile(target)));
  await rm(join(homeOf('anna-house'), 'many'), { recursive: true });
});

test('after all that, relay and both daemons still run', () => {
  for (const program of [relay, ...daemons]) assert.ok(program.isRunning, program.stderr);
});

/** `flashback ARGS | head -1`, with the exit status of the first. */
async function throughHead(
  args: readonly string[],
): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = spawn(
    'bash',
    ['-c', '"$@" | head -1; exit "${PIPESTATUS[0]}"', 'bash', process.execPath, launcher, ...args],
    { env: { ...process.env, FLASHBACK_HOME: homeOf('ben') }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [status] = (await once(child, 'close')) as [number];
  return { status, stdout, stderr };
}
