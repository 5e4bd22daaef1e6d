import assert from 'node:assert/strict';
import { once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type HouseFixture, openHouse } from './testing/house-fixture.ts';
import { openFilesBelow } from './testing/open-files.ts';
import { SeededRandom, testSeed } from './testing/seeded-random.ts';

const visitCount = 600;
const visitorsAtOnce = 12;

const targets = [
  '/download/big.bin',
  '/content/song.mp3',
  '/archive?format=zip',
  '/archive?format=tar',
  '/archive/many?format=tar',
  '/digest/big.bin',
  '/digest/song.mp3?from=0&count=2',
  '/api/files/many',
  '/download/missing',
  '/download/out',
  '/download/many',
  '/health',
];

test('visitors who leave at any moment leave nothing open, and nothing breaks for the next', {
  timeout: 120_000,
}, async () => {
  const random = new SeededRandom(testSeed());
  const many = Object.fromEntries(
    Array.from({ length: 300 }, (_, index) => [`many/${index}.txt`, `text ${index}`]),
  );
  const tree = { ...many, 'big.bin': Buffer.alloc(8_000_000, 1), 'song.mp3': Buffer.alloc(9_000_000, 2) };
  await using fixture = await openHouse({ tree });
  await symlink('../outside/secret.txt', join(fixture.root, 'out'));
  assert.equal((await fixture.ask('/download/many/7.txt')).text(), 'text 7');

  let left = visitCount;
  const visit = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await leaveSomewhere(fixture, random);
    }
  };
  await Promise.all(Array.from({ length: visitorsAtOnce }, visit));

  assert.equal((await fixture.ask('/download/many/7.txt')).text(), 'text 7');
  assert.equal((await fixture.ask('/archive/many?format=tar')).isWhole, true);
  // Waits until all that ran has ended.
  await fixture.house.switchSharing(false);
  const stillOpen = await openFilesBelow(fixture.base);
  assert.deepEqual(stillOpen, [], `FLASHBACK_TEST_SEED=${random.seed}`);
});

/** Asks one to three times without waiting, and leaves at once, after the first bytes, in the middle or properly. */
async function leaveSomewhere(fixture: HouseFixture, random: SeededRandom): Promise<void> {
  await using connection = await fixture.connect();
  const asked = Array.from({ length: 1 + random.below(3) }, () => random.pick(targets));
  for (const target of asked) connection.send(target);
  const way = random.below(5);
  if (way === 0) return;
  if (way === 1) connection.socket.resetAndDestroy();
  else if (way === 2) await connection.read();
  else if (!connection.isEnded) await once(connection.socket, 'data');
  if (way === 3) connection.socket.end();
}
