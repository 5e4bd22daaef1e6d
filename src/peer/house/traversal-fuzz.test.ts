import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { holdByHandle, type PathHolder } from '../../util/platform/handle-path.ts';
import { canary, type HouseFixture, openHouse, plant, type Tree } from './testing/house-fixture.ts';
import type { RawAnswer, RawConnection } from './testing/raw-http.ts';
import { SeededRandom, testSeed } from './testing/seeded-random.ts';

const caseCount = 20_000;
const connectionCount = 8;

/** Texts inside the house: every file that is served must be one of these. */
const inside: Tree = {
  'a.txt': 'inside a',
  'folder/b.txt': 'inside b',
  'folder/deep/c.txt': 'inside c',
  '..a': 'inside dots',
};

const insideTexts = new Set(Object.values(inside).map(String));

test(`no request target of ${caseCount} leads out of the house`, { timeout: 120_000 }, async () => {
  const random = new SeededRandom(testSeed());
  await using fixture = await openTrappedHouse();
  const countByStatus = await runCases(fixture, random, caseCount);
  // The cases reach the disk and do not all fail at the door.
  for (const status of [200, 400, 404]) {
    const count = countByStatus.get(status) ?? 0;
    assert.ok(count > 50, `status ${status} came ${count} times with FLASHBACK_TEST_SEED=${random.seed}`);
  }
});

test('the same cases find a resolver that believes a path instead of the handle', async () => {
  const believesPath: PathHolder = async (path) => {
    const held = await holdByHandle(path);
    const below = /^\/proc\/self\/fd\/\d+(?<rest>.*)$/.exec(path)?.groups?.['rest'];
    return { ...held, place: below === undefined ? held.place : fixture.root + below };
  };
  await using fixture = await openTrappedHouse(believesPath);
  await assert.rejects(runCases(fixture, new SeededRandom(1), caseCount), /the canary is in the answer/);
});

/** Asks all the cases and judges each answer. */
async function runCases(
  fixture: HouseFixture,
  random: SeededRandom,
  count: number,
): Promise<Map<number, number>> {
  const countByStatus = new Map<number, number>();
  let left = count;
  const work = async (): Promise<void> => {
    let connection = await fixture.connect();
    try {
      while (left > 0) {
        left -= 1;
        if (connection.isEnded) connection = await reconnect(fixture, connection);
        const target = randomTarget(random, fixture);
        const range = random.below(10) === 0 ? { Range: `bytes=${random.below(9)}-` } : {};
        const answer = await connection.ask(target, range);
        judge(answer, target, fixture, random.seed);
        countByStatus.set(answer.status, (countByStatus.get(answer.status) ?? 0) + 1);
        // A target with a line break is several requests to the server: whatever follows belongs to them.
        if (/[\r\n ]/.test(target)) connection = await reconnect(fixture, connection);
      }
    } finally {
      left = 0;
      await connection[Symbol.asyncDispose]();
    }
  };
  await Promise.all(Array.from({ length: connectionCount }, work));
  return countByStatus;
}

/** A house full of ways out. */
async function openTrappedHouse(hold?: PathHolder): Promise<HouseFixture> {
  const fixture = await openHouse({ tree: inside, ...(hold === undefined ? {} : { hold }) });
  const { root, base, outside } = fixture;
  await plant(outside, { [`folder/${canary}.txt`]: canary, 'b.txt': canary, 'deep/c.txt': canary });
  await mkdir(join(root, 'ways'));
  const links = {
    'link-file': join(outside, 'secret.txt'),
    'link-folder': outside,
    'link-up': '..',
    'link-top': '/',
    'link-proc': '/proc/self',
    'link-fds': '/dev/fd',
    'ways/link-relative': '../../outside',
    'ways/link-to-link': 'link-relative',
    'folder/link-deep': '../ways/link-relative/folder',
    'link-loop': 'link-loop',
    'link-gone': join(base, 'nowhere'),
    'link-device': '/dev/zero',
    'link-inside': 'folder/deep',
  };
  for (const [name, target] of Object.entries(links)) await symlink(target, join(root, name));
  if (process.platform !== 'win32') execFileSync('mkfifo', [join(root, 'fifo')]);
  const socket = createServer().listen(join(root, 'socket'));
  await new Promise((resolve) => socket.once('listening', resolve));
  return Object.assign(fixture, {
    [Symbol.asyncDispose]: fixtureDisposal(fixture, async () => {
      await new Promise((resolve) => socket.close(resolve));
    }),
  });
}

function fixtureDisposal(fixture: HouseFixture, first: () => Promise<void>): () => Promise<void> {
  const dispose = fixture[Symbol.asyncDispose].bind(fixture);
  return async () => {
    await first();
    await dispose();
  };
}

async function reconnect(fixture: HouseFixture, connection: RawConnection): Promise<RawConnection> {
  await connection[Symbol.asyncDispose]();
  return await fixture.connect();
}

const routes = [
  '/api/files',
  '/content',
  '/download',
  '/archive',
  '/digest',
  '',
  '/api',
  '/api/files/..',
  '/health',
];

/** What people have used to climb out of folders: plain, encoded once and twice, overlong, for Windows, by look-alikes. */
const climbs = [
  ...words('.. %2e%2e .%2e %2E. %252e%252e %25252e%25252e ..%00 %00 ..%2500 ..; ... .... . %2e ~ ~root -'),
  ...words('%c0%ae%c0%ae %e0%80%ae%e0%80%ae %f0%80%80%ae %c0%2e %uff0e%uff0e %u002e%u002e \xc0\xae\xc0\xae'),
  ...words('%ef%bc%8e%ef%bc%8e %e2%80%a4%e2%80%a4 %e2%80%a5 %ef%b8%99 ..%e2%80%8b %e2%80%ae.. %ef%bb%bf..'),
  ...words('..\\ ..%5c %2e%2e%5c ..%255c %5c..%5c.. ..%c1%9c ..%c0%af ..%ef%bc%8f ..%ef%bc%bc ..%e2%88%95'),
  ...words('..%20 ..%09 .%0a. ..%0d%0a ..%7f ..%c2%85 .%c2%a0. ..%2e'),
  '.. ',
  '. .',
];
const separators = words('/ / / / // %2f %2F %252f \\ %5c /./ /%2e/ %c0%af %ef%bc%8f /;/ /a/../');
const names = [
  ...words('a.txt folder b.txt deep c.txt ..a ways fifo socket secret.txt outside root environ cwd fd 1'),
  ...words('link-file link-folder link-up link-top link-proc link-fds link-relative link-to-link link-deep'),
  ...words('link-loop link-gone link-device link-inside etc passwd proc self'),
  canary,
  `${canary}.txt`,
];
/** Beginnings that exist: what follows is decided by the disk, not at the door. */
const starts = [
  ...words(
    'a.txt folder folder/deep folder/deep/c.txt ways link-inside link-inside/c.txt link-up link-up/root',
  ),
  ...words(
    'link-folder link-folder/folder link-top/etc link-proc/root link-proc/cwd link-fds ways/link-relative',
  ),
  ...words('ways/link-to-link/deep folder/link-deep link-up/outside link-proc/fd ..a link-file fifo socket'),
  'link-device',
];
const windowsNames = [
  ...words('CON nul nul.txt aux. COM1 lpt9.txt com%c2%b9 CONIN$ prn%20 C: c:%5cwindows a.txt::$DATA a.txt:x'),
  ...words('folder::$INDEX_ALLOCATION a.txt. a.txt%20 folder. %5c%5c%3f%5cC: %5c%5c.%5cpipe FOLDER~1 A.TXT'),
];
const queries = [
  '',
  ...words(
    '?format=tar ?format=zip ?blocks=none ?limit=3 ?after=Li4 ?after=.. ?hidden=1 ?path=../outside #/..',
  ),
];

function words(text: string): string[] {
  return text.split(' ');
}

function randomTarget(random: SeededRandom, { base, outside }: HouseFixture): string {
  const kind = random.below(14);
  const route = random.pick(routes.slice(0, kind === 0 ? routes.length : 5));
  if (kind === 1) return `${route}/${random.pick(['', '/', '%2f', '//', 'file:'])}${outside}/secret.txt`;
  if (kind === 2) return mutate(random, `${route}/${encodeURIComponent(`${base}/outside/secret.txt`)}`);
  if (kind === 3) {
    // Classic: so many steps up, by one way of writing it, then the file.
    const step = random.pick(climbs) + random.pick(separators);
    const start = random.pick(['', 'folder/', 'link-inside/', 'ways/']);
    return `${route}/${start}${step.repeat(1 + random.below(6))}outside/secret.txt${randomQuery(random)}`;
  }
  if (kind > 9) {
    const rest = Array.from({ length: random.below(3) }, () => random.pick(names));
    const target = [route, random.pick(starts), ...rest].join('/') + randomQuery(random);
    return kind === 10 ? mutate(random, target) : target;
  }
  const parts: string[] = [];
  for (let count = 1 + random.below(7); count > 0; count -= 1) {
    const atoms = random.pick([names, names, names, climbs, windowsNames]);
    parts.push(random.pick(atoms));
  }
  const separator = random.below(2) === 0 ? '/' : random.pick(separators);
  const target = `${route}/${parts.join(separator)}${randomQuery(random)}`;
  return kind > 7 ? mutate(random, target) : target;
}

function randomQuery(random: SeededRandom): string {
  return random.below(2) === 0 ? '' : random.pick(queries);
}

/** One to three small changes anywhere: a byte, an encoding, a doubling. */
function mutate(random: SeededRandom, target: string): string {
  let text = target;
  for (let count = 1 + random.below(3); count > 0; count -= 1) {
    const at = 1 + random.below(text.length - 1);
    const character = text[at] ?? '/';
    const hex = character.charCodeAt(0).toString(16).padStart(2, '0');
    const change = random.pick([
      `%${hex}`,
      `%25${hex}`,
      character.repeat(2),
      character.toUpperCase(),
      '',
      `%${random.below(256).toString(16).padStart(2, '0')}`,
      String.fromCharCode(random.below(256)),
      random.pick(climbs),
    ]);
    text = text.slice(0, at) + change + text.slice(at + 1);
  }
  return text;
}

/** 0: the server closed the connection. An archive may be refused for want of a place (503) as well. */
const expectedStatuses = [0, 200, 206, 400, 403, 404, 414, 416];

function judge(answer: RawAnswer, target: string, { base }: HouseFixture, seed: number): void {
  const about = `target ${JSON.stringify(target)}, status ${answer.status}, repeat with FLASHBACK_TEST_SEED=${seed}`;
  const bytes = answer.body.toString('latin1') + JSON.stringify(answer.headers);
  assert.ok(!bytes.includes(canary), `the canary is in the answer: ${about}`);
  assert.ok(!bytes.includes(base), `an absolute path is in the answer: ${about}`);
  assert.ok(!bytes.includes('root:x:'), `the password file is in the answer: ${about}`);
  const statuses = target.includes('archive') ? [...expectedStatuses, 503] : expectedStatuses;
  assert.ok(statuses.includes(answer.status), `unexpected status: ${about}`);
  if (
    answer.status === 200 &&
    answer.headers['content-disposition'] !== undefined &&
    /^\/(?:content|download)/.test(target)
  ) {
    assert.ok(insideTexts.has(answer.text()), `a file that is not in the house: ${about}`);
  }
}
