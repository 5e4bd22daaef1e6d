import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, mkdir, symlink } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { canary, openHouse } from '../testing/house-fixture.ts';
import { openFilesBelow } from '../testing/open-files.ts';
import { readTar, readZip } from '../testing/read-archive.ts';

const readers = { zip: readZip, tar: readTar };
const formats = ['zip', 'tar'] as const;

test('an archive holds what a visitor may fetch, byte for byte, below the name of its folder', async () => {
  const big = randomBytes(3_000_000);
  const long = `${'long '.repeat(40)}name.txt`;
  const tree = {
    'photos/summer/a.txt': 'hello '.repeat(1000),
    'photos/summer/empty.txt': '',
    'photos/big.bin': big,
    'photos/song.mp3': big,
    'photos/żółć 😀.txt': 'any script',
    [`photos/${long}`]: 'long',
    'photos/nothing/': '',
    'elsewhere.txt': 'not asked for',
  };
  await using fixture = await openHouse({ tree });
  for (const format of formats) {
    const answer = await fixture.ask(`/archive/photos?format=${format}`);
    assert.deepEqual([answer.status, answer.isWhole], [200, true]);
    assert.match(
      answer.headers['content-disposition'] ?? '',
      new RegExp(`^attachment; filename="photos.${format}"`),
    );
    const entries = readers[format](answer.body);
    assert.deepEqual(
      [...entries.keys()],
      [
        'photos/',
        'photos/big.bin',
        `photos/${long}`,
        'photos/nothing/',
        'photos/song.mp3',
        'photos/summer/',
        'photos/summer/a.txt',
        'photos/summer/empty.txt',
        'photos/żółć 😀.txt',
      ],
    );
    assert.ok(entries.get('photos/big.bin')?.equals(big));
    assert.ok(entries.get('photos/song.mp3')?.equals(big));
    assert.equal(entries.get('photos/summer/a.txt')?.toString(), tree['photos/summer/a.txt']);
    assert.equal(entries.get(`photos/${long}`)?.toString(), 'long');
  }
});

test('hidden, ignored, outside, programs and folder links stay out of an archive', async () => {
  const tree = {
    '.flashbackignore': 'private/\n*.bak\n',
    'a.txt': 'a',
    'a.bak': 'x',
    '.env': 'x',
    '.git/config': 'x',
    'private/diary.txt': 'x',
    'deep/private/diary.txt': 'x',
    'deep/setup.exe': 'x',
    'deep/b.txt': 'b',
  };
  await using fixture = await openHouse({ tree });
  const { root, outside } = fixture;
  await symlink(outside, join(root, 'out'));
  await symlink(join(outside, 'secret.txt'), join(root, 'deep/secret.txt'));
  await symlink('..', join(root, 'deep/round'));
  await symlink('../private/diary.txt', join(root, 'deep/diary.txt'));
  await symlink('../a.txt', join(root, 'deep/link-to-a.txt'));
  for (const format of formats) {
    const { body } = await fixture.ask(`/archive?format=${format}`);
    assert.ok(!body.includes(canary));
    const entries = readers[format](body);
    assert.deepEqual(
      [...entries.keys()],
      ['house/', 'house/a.txt', 'house/deep/', 'house/deep/b.txt', 'house/deep/link-to-a.txt'],
    );
    assert.equal(entries.get('house/deep/link-to-a.txt')?.toString(), 'a');
  }
  await using open = await openHouse({ tree, settings: { allowPrograms: true } });
  assert.ok(readZip((await open.ask('/archive?format=zip')).body).has('house/deep/setup.exe'));
});

test('an archive of a file, of nothing and in an unknown format is refused in words', async () => {
  await using fixture = await openHouse({ tree: { 'a.txt': 'x' } });
  assert.equal((await fixture.ask('/archive/a.txt')).status, 400);
  assert.equal((await fixture.ask('/archive/missing')).status, 404);
  assert.deepEqual((await fixture.ask('/archive?format=rar')).json(), {
    error: 'format must be one of zip, tar',
  });
  assert.equal(
    (await fixture.ask('/archive?format=tar', {}, 'HEAD')).headers['content-type'],
    'application/x-tar',
  );
});

test('a file that changes while it is archived cuts the connection', async () => {
  for (const format of formats) {
    await using fixture = await openHouse({ tree: { 'big.jpg': Buffer.alloc(64 * 1024 * 1024, 1) } });
    await using connection = await fixture.connect();
    await startReading(connection.socket, () => connection.send(`/archive?format=${format}`));
    await appendFile(join(fixture.root, 'big.jpg'), 'more');
    connection.socket.resume();
    const answer = await connection.read();
    assert.deepEqual([answer.status, answer.isWhole], [200, false], format);
  }
});

test('a visitor who leaves ends the archive and everything that was open for it', async () => {
  const tree = Object.fromEntries(
    Array.from({ length: 50 }, (_, index) => [`f/${index}.jpg`, Buffer.alloc(1_000_000, index)]),
  );
  await using fixture = await openHouse({ tree });
  for (const format of [...formats, ...formats, ...formats]) {
    await using connection = await fixture.connect();
    await startReading(connection.socket, () => connection.send(`/archive/f?format=${format}`));
  }
  await fixture.house.switchSharing(false);
  assert.deepEqual(await openFilesBelow(fixture.base), []);
});

test('a third archive at once for one visitor is told to come back', async () => {
  await using fixture = await openHouse({ tree: { 'big.jpg': Buffer.alloc(64 * 1024 * 1024, 1) } });
  await using first = await fixture.connect();
  await using second = await fixture.connect();
  for (const connection of [first, second])
    await startReading(connection.socket, () => connection.send('/archive'));
  const third = await fixture.ask('/archive');
  assert.deepEqual(
    [third.status, third.json(), third.headers['retry-after']],
    [503, { error: 'the house is busy: try again later' }, '5'],
  );
  for (const connection of [first, second]) {
    connection.socket.resume();
    assert.equal((await connection.read()).isWhole, true);
  }
});

test('a folder deeper than a path may be is archived as far as it can be fetched', async () => {
  await using fixture = await openHouse();
  await mkdir(join(fixture.root, Array(70).fill('d').join('/')), { recursive: true });
  const entries = readTar((await fixture.ask('/archive?format=tar')).body);
  assert.equal(entries.size, 65);
});

/** Sends, waits for the first bytes and then takes no more, so that the house is held in the middle. */
async function startReading(socket: Socket, send: () => void): Promise<void> {
  send();
  await once(socket, 'data');
  socket.pause();
}
