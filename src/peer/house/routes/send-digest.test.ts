import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { open, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestBlockBytes, type HouseDigest, HouseDigestSchema } from '../../../wire/house-http.ts';
import { DigestCache } from '../digest-cache.ts';
import { digestJobsMax } from '../digest-service.ts';
import { type HouseFixture, openHouse } from '../testing/house-fixture.ts';
import { openFilesBelow } from '../testing/open-files.ts';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Two blocks and a bit. */
const content = randomBytes(2 * digestBlockBytes + 1234);
const blocks = [0, 1, 2].map((index) =>
  sha256(content.subarray(index * digestBlockBytes, (index + 1) * digestBlockBytes)),
);

test('a digest is that of the bytes, whole and by block, under the tag of the download', async () => {
  await using fixture = await openHouse({ tree: { 'a.bin': content, 'empty.txt': '' } });
  const { headers } = await fixture.ask('/download/a.bin', {}, 'HEAD');
  for (const _ of ['computed', 'remembered']) {
    const all = await digest(fixture, 'a.bin');
    assert.deepEqual(
      [all.path, all.size, all.sha256, all.blocks],
      ['a.bin', content.length, sha256(content), blocks],
    );
    assert.equal(all.etag, headers['etag']);
    assert.deepEqual(omitBlocks(all), await digest(fixture, 'a.bin?blocks=none'));
  }
  const empty = await digest(fixture, 'empty.txt');
  assert.deepEqual([empty.sha256, empty.blocks], [sha256(Buffer.alloc(0)), []]);
});

test('some blocks are digested alone, before the whole is known and after', async () => {
  await using fixture = await openHouse({ tree: { 'a.bin': content } });
  for (const _ of ['computed', 'remembered']) {
    const some = await digest(fixture, 'a.bin?from=1&count=1');
    assert.deepEqual([some.from, some.blocks, some.sha256], [1, [blocks[1]], undefined]);
    const rest = await digest(fixture, 'a.bin?from=1&count=100');
    assert.deepEqual(rest.blocks, blocks.slice(1));
    await digest(fixture, 'a.bin');
  }
});

test('a digest follows the file when it changes, even where size and time stay', async () => {
  await using fixture = await openHouse({ tree: { 'a.txt': 'one' } });
  assert.equal((await digest(fixture, 'a.txt')).sha256, sha256(Buffer.from('one')));
  const path = join(fixture.root, 'a.txt');
  await using file = await open(path, 'r+');
  const { atime, mtime } = await file.stat();
  await file.write('two', 0);
  await file.utimes(atime, mtime);
  assert.equal((await digest(fixture, 'a.txt')).sha256, sha256(Buffer.from('two')));
});

test('questions that make no sense are refused in words', async () => {
  await using fixture = await openHouse({ tree: { 'a.bin': content, 'folder/': '' } });
  for (const query of [
    'blocks=all',
    'blocks=none&from=0&count=1',
    'from=0',
    'count=1',
    'from=-1&count=1',
    'from=0&count=0',
    'from=0&count=65537',
    'from=x&count=1',
  ]) {
    assert.equal((await fixture.ask(`/digest/a.bin?${query}`)).status, 400, query);
  }
  assert.equal((await fixture.ask('/digest/a.bin?from=3&count=1')).status, 416);
  assert.equal((await fixture.ask('/digest/folder')).status, 400);
  assert.equal((await fixture.ask('/digest/missing')).status, 404);
});

test('many who ask at once are given one computation', async () => {
  await using fixture = await openHouse({ tree: { 'a.bin': content } });
  const answers = await Promise.all(
    ['', '', '?blocks=none', '?blocks=none'].map((query) => digest(fixture, `a.bin${query}`)),
  );
  assert.deepEqual(new Set(answers.map((answer) => answer.sha256)), new Set([sha256(content)]));
});

test('a file of 100 GB occupies nobody once the last one who asked has gone', async () => {
  await using fixture = await openHouse({ tree: { 'small.txt': 'small' } });
  await using file = await open(join(fixture.root, 'huge.bin'), 'w');
  await file.truncate(100 * 1024 ** 3);
  const first = await fixture.connect();
  const second = await fixture.connect();
  first.send('/digest/huge.bin');
  second.send('/digest/huge.bin?blocks=none');
  // Turns of the loop in which both are taken up; the answers themselves are minutes away.
  await turns(fixture, 20);
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  // These wait for a thread, which the large job would hold for minutes if it had not given up.
  for (let round = 0; round < 4; round += 1) {
    await writeFile(join(fixture.root, 'small.txt'), `small ${round}`);
    assert.equal((await digest(fixture, 'small.txt')).sha256, sha256(Buffer.from(`small ${round}`)));
  }
  const last = await digest(fixture, 'huge.bin?from=25599&count=1');
  assert.deepEqual(last.blocks, [sha256(Buffer.alloc(digestBlockBytes))]);
});

test('a visitor with four digests under way is told to come back, and closing the house ends them', async () => {
  const fixture = await openHouse();
  for (let index = 0; index < 5; index += 1) {
    await using file = await open(join(fixture.root, `huge${index}.bin`), 'w');
    await file.truncate(100 * 1024 ** 3);
  }
  await using connections = await connectAll(fixture, 4);
  for (const [index, connection] of connections.list.entries()) connection.send(`/digest/huge${index}.bin`);
  // Asked until the four have their places: they are taken a few turns after the request is sent.
  for (;;) {
    const answer = await fixture.ask('/digest/huge4.bin?from=0&count=1');
    if (answer.status === 503) {
      assert.deepEqual(answer.json(), { error: 'the house is busy: try again later' });
      break;
    }
  }
  const cut = Promise.all(connections.list.map((connection) => connection.read()));
  await fixture[Symbol.asyncDispose]();
  for (const answer of await cut) assert.equal(answer.isWhole, false);
  assert.deepEqual(await openFilesBelow(fixture.base), []);
});

test('the seventeenth file at once is refused, whoever asks', async () => {
  let asked = 0;
  const visitorOf = () => {
    asked += 1;
    return { email: 'many@example.com', fingerprint: String(asked) };
  };
  await using fixture = await openHouse({ visitorOf });
  await using file = await open(join(fixture.root, 'huge.bin'), 'w');
  await file.truncate(100 * 1024 ** 3);
  await using connections = await connectAll(fixture, digestJobsMax);
  for (const [index, connection] of connections.list.entries()) {
    connection.send(`/digest/huge.bin?from=${index}&count=20000`);
  }
  // Whoever is not refused stays: it may have taken the place of one of the sixteen, who was refused in its stead.
  await using stay = new AsyncDisposableStack();
  for (;;) {
    const last = stay.use(await fixture.connect());
    last.send('/digest/huge.bin?from=100&count=20000');
    const refused = await Promise.race([last.read(), turns(fixture, 20)]);
    if (refused === undefined) continue;
    assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '5']);
    break;
  }
});

test('links are followed inside and digests of what is hidden or outside are not given', async () => {
  await using fixture = await openHouse({ tree: { 'a.txt': 'a', '.env': 'x' } });
  await symlink('a.txt', join(fixture.root, 'link'));
  await symlink('.env', join(fixture.root, 'link-hidden'));
  await symlink('../outside/secret.txt', join(fixture.root, 'link-out'));
  assert.equal((await digest(fixture, 'link')).sha256, sha256(Buffer.from('a')));
  for (const name of ['.env', 'link-hidden', 'link-out'])
    assert.equal((await fixture.ask(`/digest/${name}`)).status, 404);
});

test('the cache of digests forgets the longest unused when it is full', () => {
  const cache = new DigestCache(3 * (512 + 32));
  const one = { sha256: new Uint8Array(32), blocks: new Uint8Array(32) };
  for (const key of ['a', 'b', 'c']) cache.set(key, one);
  cache.get('a');
  cache.set('d', one);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((key) => cache.get(key) !== undefined),
    [true, false, true, true],
  );
  cache.set('too large', { sha256: one.sha256, blocks: new Uint8Array(10_000) });
  assert.deepEqual([cache.get('too large'), cache.bytes], [undefined, 3 * (512 + 32)]);
});

async function digest(fixture: HouseFixture, target: string): Promise<HouseDigest> {
  const answer = await fixture.ask(`/digest/${target}`);
  assert.equal(answer.status, 200, answer.text());
  return HouseDigestSchema.parse(answer.json());
}

/** Lets the house take up what was sent, without a clock. */
async function turns(fixture: HouseFixture, count: number): Promise<undefined> {
  for (let turn = 0; turn < count; turn += 1) await fixture.ask('/health');
}

function omitBlocks(all: HouseDigest): HouseDigest {
  const { blocks, ...rest } = all;
  assert.ok(blocks !== undefined);
  return rest;
}

async function connectAll(fixture: HouseFixture, count: number) {
  const list = await Promise.all(Array.from({ length: count }, () => fixture.connect()));
  return {
    list,
    async [Symbol.asyncDispose]() {
      for (const connection of list) await connection[Symbol.asyncDispose]();
    },
  };
}
