/**
 * The product's main job with real processes: a relay, two people, one finds the other, visits their house and downloads.
 * `npm run demo` stays up until Ctrl-C; `npm run demo -- --once` ends by itself.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { crc32, deflateSync } from 'node:zlib';
import { jsonLines, listening, Program, type ProgramEvent, ready } from './support/program.ts';

const bigFileBytes = 64 * 1024 * 1024;
const bigFileName = 'holiday film.mkv';
/** The first announcement is there within a second; a machine under load is given time. */
const onlineTriesMax = 60;
const onlineRetryMs = 500;

const { values: options } = parseArgs({ options: { once: { type: 'boolean', default: false } } });

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => interrupted.abort(new Error('stopped')));

const startedMs = performance.now();
let stepMs = startedMs;

function step(text: string): void {
  const nowMs = performance.now();
  console.log(`${(nowMs - stepMs).toFixed(0).padStart(6)} ms  ${text}`);
  stepMs = nowMs;
}

try {
  await demo();
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
}

async function demo(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'flashback-demo-'));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  const homes = { anna: join(folder, 'anna'), ben: join(folder, 'ben') };

  const sha256 = await furnish(join(folder, 'anna-house'), 'Anna');
  await furnish(join(folder, 'ben-house'), 'Ben');
  step(`made two sample houses in ${folder}`);

  const relay = cleanup.use(
    new Program(['relay', '--port', '0', '--data', join(folder, 'relay'), '--json'], {
      home: join(folder, 'operator'),
    }),
  );
  const { url } = await untilInterrupted(listening(relay));
  step(`relay listens at ${url.replace(/#.*/, '')}`);

  for (const [name, home] of Object.entries(homes)) {
    const email = `${name}@example.com`;
    await jsonLines(['init', '--email', email, '--relay', url, '--house', join(folder, `${name}-house`)], {
      home,
    });
    const daemon = cleanup.use(
      new Program(['up', '--json', '--policy', 'registered', '--ui-port', '0'], { home }),
    );
    const { port, addresses } = await untilInterrupted(ready(daemon));
    step(`${email} is up, house on port ${port} of ${addresses.join(', ')}`);
  }

  const peer = await untilOnline('anna@example.com', homes.ben);
  step(`ben sees ${String(peer['email'])} ${String(peer['status'])}`);

  const listing = await untilInterrupted(jsonLines(['ls', 'anna@example.com:/'], { home: homes.ben }));
  step(`ben lists anna's house: ${listing.map((entry) => String(entry['name'])).join(', ')}`);

  const target = join(folder, 'downloaded.mkv');
  const events = await untilInterrupted(
    jsonLines(['get', `anna@example.com:/${bigFileName}`, '-o', target], { home: homes.ben }),
  );
  const done = events.at(-1);
  step(`ben downloads "${bigFileName}": ${String(done?.['bytes'])} bytes, ${String(done?.['via'])}`);

  const arrived = await hashFile(target);
  if (arrived !== sha256) throw new Error(`What arrived has SHA-256 ${arrived}, what was shared ${sha256}`);
  step(`SHA-256 of what arrived is that of what was shared: ${sha256}`);
  console.log(`\nDone in ${((performance.now() - startedMs) / 1000).toFixed(1)} s, bit for bit.`);
  if (options.once) return;

  console.log(`
Try it by hand, as Ben, in another terminal:

  export FLASHBACK_HOME=${homes.ben}
  npx flashback peers
  npx flashback ls anna@example.com:/
  npx flashback cat anna@example.com:/welcome.txt
  npx flashback get anna@example.com:/pictures -r -o /tmp/from-anna
  npx flashback status

Ctrl-C ends it and removes ${folder}.`);
  await new Promise<void>((resolve) => interrupted.signal.addEventListener('abort', () => resolve()));
  console.log('\nStopping.');
}

/** Fills a folder with a text, a picture, a big file and odd names; resolves to the big file's SHA-256. */
async function furnish(house: string, owner: string): Promise<string> {
  await mkdir(join(house, 'pictures'), { recursive: true });
  await mkdir(join(house, 'ünïcode and spaces', 'deeper', 'still deeper'), { recursive: true });
  const big = randomBytes(bigFileBytes);
  await Promise.all([
    writeFile(join(house, 'welcome.txt'), `Welcome to ${owner}'s house.\nTake what you like.\n`),
    writeFile(join(house, 'pictures', 'sunset.png'), sunset(320, 200)),
    writeFile(join(house, bigFileName), big),
    writeFile(join(house, 'ünïcode and spaces', '日本語 — ½ 🎉.txt'), 'names in any script\n'),
    writeFile(
      join(house, 'ünïcode and spaces', 'deeper', 'still deeper', "it's #1, 100% & more.txt"),
      'odd\n',
    ),
    writeFile(join(house, 'empty file'), ''),
  ]);
  return createHash('sha256').update(big).digest('hex');
}

/** A PNG (RFC 2083) of a sky: 8 bits a channel, RGB, no filter. */
function sunset(width: number, height: number): Buffer {
  const rows = Array.from({ length: height }, (_, y) => {
    const row = Buffer.alloc(1 + width * 3);
    for (let x = 0; x < width; x += 1)
      row.set([255 - (y * 60) / height, 120 + (y * 100) / height, (y * 255) / height], 1 + x * 3);
    return row;
  });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const chunks = [
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(Buffer.concat(rows))),
    pngChunk('IEND'),
  ];
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks]);
}

function pngChunk(type: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(data.length, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

async function untilOnline(email: string, home: string): Promise<ProgramEvent> {
  for (let tries = 1; tries <= onlineTriesMax; tries += 1) {
    const peers = await untilInterrupted(jsonLines(['peers'], { home }));
    const peer = peers.find((one) => one['email'] === email && one['status'] === 'online');
    if (peer !== undefined) return peer;
    await untilInterrupted(new Promise((resolve) => setTimeout(resolve, onlineRetryMs)));
  }
  throw new Error(`${email} did not come online`);
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function untilInterrupted<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(interrupted.signal.reason);
    if (interrupted.signal.aborted) onAbort();
    interrupted.signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => interrupted.signal.removeEventListener('abort', onAbort));
  });
}
