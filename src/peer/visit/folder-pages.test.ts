import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HouseEntry, HouseListing } from '../../wire/house-http.ts';
import { folderEntries } from './folder-pages.ts';

function page(names: readonly string[], next?: string): HouseListing {
  const entries = names.map(
    (name): HouseEntry => ({ name, type: 'file', size: 1, modified: '2026-01-01T00:00:00Z' }),
  );
  return { path: '', entries, ...(next !== undefined && { next }) };
}

/** Serves `pages` in order, whatever cursor is given. */
async function walk(pages: Iterable<HouseListing>): Promise<string[]> {
  const iterator = pages[Symbol.iterator]();
  const names: string[] = [];
  const list = async (): Promise<HouseListing> => iterator.next().value ?? page([]);
  for await (const { name } of folderEntries('a', list)) names.push(name);
  return names;
}

test('pages are followed to the end, empty ones too', async () => {
  const asked: (string | undefined)[] = [];
  const pages = [page(['a', 'b'], '1'), page([], '2'), page(['c'])];
  const names: string[] = [];
  const list = async (after: string | undefined): Promise<HouseListing> => {
    asked.push(after);
    return pages[asked.length - 1] ?? page([]);
  };
  for await (const { name } of folderEntries('a', list)) names.push(name);
  assert.deepEqual(names, ['a', 'b', 'c']);
  assert.deepEqual(asked, [undefined, '1', '2']);
});

test('names are in the order of their UTF-8 bytes, which is not that of UTF-16', async () => {
  assert.deepEqual(await walk([page(['\uffee', '\u{1f600}'])]), ['\uffee', '\u{1f600}']);
  await assert.rejects(walk([page(['\u{1f600}', '\uffee'])]), /out of order/);
});

test('a name that comes twice is refused, on one page and across pages', async () => {
  await assert.rejects(walk([page(['a', 'a'])]), /"a" is listed out of order/);
  await assert.rejects(walk([page(['a', 'b'], '1'), page(['a'])]), /out of order/);
});

test('a cursor that leads back to itself is refused', async () => {
  await assert.rejects(walk([page(['a'], 'x'), page(['b'], 'x')]), /lead back to themselves/);
});

test('empty pages without end are refused', async () => {
  function* endless(): Generator<HouseListing> {
    for (let number = 0; ; number += 1) yield page([], String(number));
  }
  await assert.rejects(walk(endless()), /empty and never end/);
});
