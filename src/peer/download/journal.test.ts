import assert from 'node:assert/strict';
import { readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { digestBlockBytes } from '../../wire/house-http.ts';
import { houseNameBytesMax } from '../../wire/house-path.ts';
import { isJournalName, journalTouchMs, partialPaths, readJournal, writeJournal } from './journal.ts';
import { Partial } from './partial.ts';

const source = { peer: 'owner@example.com', path: 'a/f' };
const versions = [
  { size: 5, etag: '"small"', modified: undefined },
  { size: 10 * digestBlockBytes, etag: '"large"', modified: '2026-01-01T00:00:00.000Z' },
];

for (const version of versions)
  test(`a journal for ${version.size} bytes says what was written, and only to its owner`, async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'f.partial.json');
    assert.deepEqual(await readJournal(path, Date.now()), { kind: 'none' });
    await writeJournal(path, source, version);
    assert.deepEqual(await readJournal(path, Date.now()), { kind: 'left', source, version });
    if (process.platform !== 'win32') assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

test('what is no journal of ours is foreign', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'f.partial.json');
  await writeJournal(path, source, { size: 5, etag: '"1"' });
  const good = await readFile(path, 'utf8');
  for (const text of [
    '{',
    '[]',
    '{}',
    good.slice(0, -3),
    good.replace('flashback download 1', 'x'),
    'x'.repeat(70_000),
  ]) {
    await writeFile(path, text);
    assert.equal((await readJournal(path, Date.now())).kind, 'foreign', text.slice(0, 20));
  }
  const link = join(folder.path, 'link');
  await writeFile(path, good);
  await symlink(path, link);
  assert.equal((await readJournal(link, Date.now())).kind, 'foreign');
});

test('a writer on another machine is believed for as long as it touches its journal', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'f.partial.json');
  await writeJournal(path, source, { size: 5, etag: '"1"' });
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace(JSON.stringify(hostname()), '"elsewhere"'));
  const { mtimeMs } = await stat(path);
  assert.equal((await readJournal(path, mtimeMs + 1000)).kind, 'held');
  assert.equal((await readJournal(path, mtimeMs + 60_000)).kind, 'left');
  // A clock that was set back must not make it held for years.
  assert.equal((await readJournal(path, mtimeMs - 3_600_000)).kind, 'left');
});

test('a partial that is written to touches its journal', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  await using folder = await temporaryFolder();
  const target = join(folder.path, 'f');
  await using partial = await Partial.open(target, source, Date.now());
  await partial.begin({ size: 5, etag: '"1"' });
  const { journal } = partialPaths(target);
  await utimes(journal, 0, 0);
  context.mock.timers.tick(journalTouchMs);
  let touchedMs = 0;
  for (let look = 0; look < 1000 && touchedMs === 0; look += 1) touchedMs = (await stat(journal)).mtimeMs;
  assert.ok(Math.abs(Date.now() - touchedMs) < 60_000);
});

test('every name has a partial and a journal that fit into a folder, and no two share them', () => {
  const names = [
    'f',
    'x'.repeat(242),
    'x'.repeat(243),
    'x'.repeat(255),
    `${'x'.repeat(254)}y`,
    'ä'.repeat(127),
    '😀'.repeat(63),
  ];
  const all = names.flatMap((name) => Object.values(partialPaths(join('/folder', name))));
  assert.equal(new Set(all).size, 2 * names.length);
  for (const path of all) {
    assert.ok(Buffer.byteLength(basename(path)) <= houseNameBytesMax);
    assert.ok(basename(path).isWellFormed());
  }
  assert.deepEqual(partialPaths('/folder/f'), {
    partial: '/folder/f.partial',
    journal: '/folder/f.partial.json',
  });
});

test('names of journals are known in any case', () => {
  assert.ok(isJournalName('a.partial.json'));
  assert.ok(isJournalName('A.PARTIAL.JSON'));
  assert.ok(!isJournalName('a.json'));
});
