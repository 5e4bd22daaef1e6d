import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type HouseListing, HouseListingSchema, listingLimitMax } from '../../../wire/house-http.ts';
import { encodeHousePath, nameRefusal } from '../../../wire/house-path.ts';
import { type HouseFixture, openHouse } from '../testing/house-fixture.ts';

test('a listing gives name, type, size, time and media type, ordered by name', async () => {
  await using fixture = await openHouse({
    tree: { 'b.txt': 'four', 'a/inner.txt': 'x', 'ä.jpg': 'x', 'Z.bin': 'xx', '日本語.md': '' },
  });
  await utimes(join(fixture.root, 'b.txt'), 0, new Date('2001-02-03T04:05:06.789Z'));
  const { path, entries, next, omitted } = await list(fixture, '');
  assert.equal(path, '');
  assert.deepEqual(
    entries.map(({ name, type, size, mediaType }) => [name, type, size, mediaType]),
    [
      ['Z.bin', 'file', 2, undefined],
      ['a', 'directory', 0, undefined],
      ['b.txt', 'file', 4, 'text/plain'],
      ['ä.jpg', 'file', 1, 'image/jpeg'],
      ['日本語.md', 'file', 0, 'text/markdown'],
    ],
  );
  assert.equal(entries[2]?.modified, '2001-02-03T04:05:06.789Z');
  assert.deepEqual([next, omitted], [undefined, undefined]);
});

test('an empty folder is an empty page, a file is not a folder, and what is missing is not found', async () => {
  await using fixture = await openHouse({ tree: { 'empty/': '', 'a.txt': 'x' } });
  assert.deepEqual(await list(fixture, 'empty'), { path: 'empty', entries: [] });
  assert.equal((await fixture.ask('/api/files/a.txt')).status, 400);
  for (const target of ['/api/files/missing', '/api/files/missing/more', '/api/files/a.txt/more']) {
    const answer = await fixture.ask(target);
    assert.deepEqual([answer.status, answer.json()], [404, { error: 'not found' }], target);
  }
});

test('pages follow each other by cursor, whatever is added or removed in between', async () => {
  const tree = Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`f${index + 10}`, 'x']));
  await using fixture = await openHouse({ tree });
  const first = await list(fixture, '', '?limit=10');
  assert.deepEqual(
    names(first),
    Array.from({ length: 10 }, (_, index) => `f${index + 10}`),
  );
  // The name that the cursor stands on goes, one comes before it and one behind.
  await unlink(join(fixture.root, 'f19'));
  await writeFile(join(fixture.root, 'a'), 'x');
  await writeFile(join(fixture.root, 'f20a'), 'x');
  const second = await list(fixture, '', `?limit=10&after=${first.next}`);
  assert.deepEqual(names(second), [
    'f20',
    'f20a',
    ...Array.from({ length: 8 }, (_, index) => `f${index + 21}`),
  ]);
  const third = await list(fixture, '', `?limit=10&after=${second.next}`);
  assert.deepEqual([names(third).length, third.next], [6, undefined]);
});

test('limits and cursors that make no sense are refused in words', async () => {
  await using fixture = await openHouse();
  for (const query of [
    'limit=0',
    'limit=-1',
    `limit=${listingLimitMax + 1}`,
    'limit=1e3',
    'limit=',
    'after=',
    'after=..%2F',
    `after=${'a'.repeat(1021)}`,
  ]) {
    const answer = await fixture.ask(`/api/files?${query}`);
    assert.equal(answer.status, 400, query);
    assert.match(JSON.stringify(answer.json()), /limit must be from 1 to 10000|after must be the next/);
  }
});

test('what no visitor could fetch is left out and counted', {
  skip: process.platform === 'win32',
}, async () => {
  await using fixture = await openHouse({ tree: { 'good.txt': 'x', 'folder/': '' } });
  const { root } = fixture;
  const bad = ['aux.c', 'a:b', 'trailing.', 'back\\slash', 'line\nbreak'];
  for (const name of bad) await writeFile(join(root, name), 'x');
  await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xff, 0xfe])]), 'x');
  execFileSync('mkfifo', [join(root, 'fifo')]);
  await symlink('/etc', join(root, 'link-out'));
  await symlink('nowhere', join(root, 'link-broken'));
  const listing = await list(fixture, '');
  assert.deepEqual(names(listing), ['folder', 'good.txt']);
  assert.equal(listing.omitted, bad.length + 4);
  assert.ok(bad.every((name) => nameRefusal(name) !== undefined));
  // Page by page it is the same, and no page repeats or hides one.
  const pages: HouseListing[] = [];
  for (let next: string | undefined = ''; next !== undefined; ) {
    const page: HouseListing = await list(fixture, '', `?limit=2${next === '' ? '' : `&after=${next}`}`);
    pages.push(page);
    next = page.next;
  }
  assert.deepEqual(pages.flatMap(names), ['folder', 'good.txt']);
  assert.equal(
    pages.reduce((sum, page) => sum + (page.omitted ?? 0), 0),
    bad.length + 4,
  );
});

test('a link inside the house shows what it leads to, and where that is', async () => {
  await using fixture = await openHouse({ tree: { 'real/file.txt': 'four' } });
  await symlink('real', join(fixture.root, 'folder-link'));
  await symlink('real/file.txt', join(fixture.root, 'file-link.txt'));
  const { entries } = await list(fixture, '');
  assert.deepEqual(
    entries.map(({ name, type, size, target }) => [name, type, size, target]),
    [
      ['file-link.txt', 'file', 4, 'real/file.txt'],
      ['folder-link', 'directory', 0, 'real'],
      ['real', 'directory', 0, undefined],
    ],
  );
  assert.deepEqual(names(await list(fixture, 'folder-link')), ['file.txt']);
});

test('every listed name can be asked for as it was listed', async () => {
  const odd = [
    ' leading',
    "it's",
    'a+b',
    'a%20b',
    '100%',
    'semi;colon',
    'hash#',
    'question?',
    'cafe\u0301',
    'caf\u00e9',
    '😀',
    '%2e%2e',
    '\u202egpj',
    '&amp;',
    '"quoted"',
    '\ufeffbom',
    '~',
    '*',
  ];
  await using fixture = await openHouse({ tree: Object.fromEntries(odd.map((name) => [name, name])) });
  const listed = names(await list(fixture, ''));
  assert.deepEqual(listed.toSorted(), odd.toSorted());
  for (const name of listed) {
    const answer = await fixture.ask(`/download/${encodeHousePath(name)}`);
    assert.equal(answer.text(), name);
  }
});

test('a name in the other Unicode form is found when only one is there, and is nobody when it would be a guess', async () => {
  const [nfc, nfd] = ['caf\u00e9', 'cafe\u0301'];
  await using fixture = await openHouse({ tree: { [`${nfc}/${nfd}.txt`]: 'one' } });
  const ask = (path: string) => fixture.ask(`/download/${encodeHousePath(path)}`);
  // A Mac asks in NFD throughout.
  assert.equal((await ask(`${nfd}/${nfd}.txt`)).text(), 'one');
  assert.equal((await ask(`${nfc}/${nfc}.txt`)).text(), 'one');
  await writeFile(join(fixture.root, nfc, `${nfc}.txt`), 'two');
  assert.equal((await ask(`${nfc}/${nfd}.txt`)).text(), 'one');
  assert.equal((await ask(`${nfd}/${nfc}.txt`)).text(), 'two');
  // U+212B and U+00C5 and A + ring are one letter in three spellings.
  await writeFile(join(fixture.root, '\u00c5'), 'ring');
  assert.equal((await ask('\u212b')).text(), 'ring');
  await writeFile(join(fixture.root, 'A\u030a'), 'other ring');
  assert.equal((await ask('\u212b')).status, 404);
});

test('a hidden name stays hidden in every spelling', async () => {
  await using fixture = await openHouse({ tree: { '.caf\u00e9': 'x', 'THUMBS.DB': 'x', Id_Rsa: 'x' } });
  assert.deepEqual(names(await list(fixture, '')), []);
  for (const name of ['.cafe\u0301', '.caf\u00e9', 'THUMBS.DB', 'Id_Rsa']) {
    assert.equal((await fixture.ask(`/download/${encodeHousePath(name)}`)).status, 404);
  }
});

test('100,000 entries are listed page by page, from the first to the last', async (t) => {
  await using fixture = await openHouse({ onMemoryDisk: true });
  const count = 100_000;
  const folder = join(fixture.root, 'many');
  await mkdir(folder);
  execFileSync('sh', ['-c', `seq -f 'file-%06g.txt' 1 ${count} | xargs touch`], { cwd: folder });
  await list(fixture, 'many', '?limit=1');
  const started = performance.now();
  const first = await list(fixture, 'many');
  t.diagnostic(`first page of 1,000 after ${Math.round(performance.now() - started)} ms`);
  assert.deepEqual([first.entries.length, first.entries[0]?.name], [1000, 'file-000001.txt']);
  const second = await list(fixture, 'many', `?limit=${listingLimitMax}&after=${first.next}`);
  assert.deepEqual([second.entries.length, second.entries[0]?.name], [listingLimitMax, 'file-001001.txt']);
  // A cursor is the last name looked at: here one near the end.
  const last = await list(fixture, 'many', `?after=${Buffer.from('file-099990.txt').toString('base64url')}`);
  assert.deepEqual(
    [last.entries.length, last.entries.at(-1)?.name, last.next],
    [10, 'file-100000.txt', undefined],
  );
  // Removed here, in one call: the fixture would take them one by one.
  await rm(folder, { recursive: true });
});

async function list(fixture: HouseFixture, path: string, query = ''): Promise<HouseListing> {
  const answer = await fixture.ask(`/api/files${path === '' ? '' : '/'}${encodeHousePath(path)}${query}`);
  assert.equal(answer.status, 200, answer.text());
  return HouseListingSchema.parse(answer.json());
}

function names(listing: HouseListing): string[] {
  return listing.entries.map((entry) => entry.name);
}
