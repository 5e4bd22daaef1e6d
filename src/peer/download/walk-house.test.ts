import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HouseEntry, HouseListing } from '../../wire/house-http.ts';
import { type Walk, walkHouse } from './walk-house.ts';

const modified = '2026-01-01T00:00:00Z';
const file = (name: string): HouseEntry => ({ name, type: 'file', size: 1, modified });
const folder = (name: string, target?: string): HouseEntry => ({
  name,
  type: 'directory',
  size: 0,
  modified,
  ...(target !== undefined && { target }),
});

/** What a walk tells, in its order; `!` before what it leaves out. */
async function walked(
  entriesByPath: Readonly<Record<string, readonly HouseEntry[]>>,
  changes: Partial<Walk> = {},
): Promise<string[]> {
  const told: string[] = [];
  const walk: Walk = {
    list: async (path): Promise<HouseListing> => {
      const entries = entriesByPath[path];
      if (entries === undefined) throw new Error(`nothing at ${path}`);
      return { path, entries: [...entries] };
    },
    enter: () => Promise.resolve(true),
    onSkipped: (path, _entry, reason) => told.push(`!${path}: ${reason}`),
    onOmitted: (path, count) => told.push(`!${path}/: ${count} without a name`),
    onUnlisted: (path, error) => told.push(`!${path}: ${String(error)}`),
    ...changes,
  };
  for await (const { path } of walkHouse('', walk)) told.push(path);
  return told;
}

const loop = 'a link back to a folder that it lies in';

test('files come in the order of the house, folders where they stand', async () => {
  assert.deepEqual(await walked({ '': [file('a'), folder('b'), file('c')], b: [file('x')] }), [
    'a',
    'b/x',
    'c',
  ]);
});

test('a link to a folder beside it is followed, and one to a folder above it is not', async () => {
  const told = await walked({
    '': [folder('a'), folder('b')],
    a: [folder('other', 'b'), folder('self', 'a'), folder('top', '')],
    'a/other': [folder('back', 'a'), file('y')],
    b: [folder('back', 'a'), file('y')],
    'b/back': [folder('other', 'b'), folder('self', 'a'), folder('top', '')],
  });
  assert.deepEqual(told, [
    `!a/other/back: ${loop}`,
    'a/other/y',
    `!a/self: ${loop}`,
    `!a/top: ${loop}`,
    `!b/back/other: ${loop}`,
    `!b/back/self: ${loop}`,
    `!b/back/top: ${loop}`,
    'b/y',
  ]);
});

test('a folder that is not entered is not listed', async () => {
  const told = await walked({ '': [folder('a'), file('b')] }, { enter: () => Promise.resolve(false) });
  assert.deepEqual(told, ['b']);
});

test('what a house does not name is told once a folder, all pages together', async () => {
  const pages: Record<string, HouseListing> = {
    '': { path: '', entries: [folder('a'), folder('b')] },
    a: { path: 'a', entries: [file('x')], next: 'a2', omitted: 2 },
    a2: { path: 'a', entries: [file('y')], omitted: 3 },
    b: { path: 'b', entries: [], omitted: 1 },
  };
  const list = async (path: string, { after }: { after: string | undefined }): Promise<HouseListing> =>
    pages[after ?? path] ?? { path, entries: [] };
  assert.deepEqual(await walked({}, { list }), [
    'a/x',
    'a/y',
    '!a/: 5 without a name',
    '!b/: 1 without a name',
  ]);
});

test('a folder that cannot be listed costs only itself, the first one everything', async () => {
  assert.deepEqual(await walked({ '': [folder('a'), file('b')] }), ['!a: Error: nothing at a', 'b']);
  await assert.rejects(walked({}), /nothing at/);
});

test('a house without end is walked to a bound', async () => {
  let listed = 0;
  let seen = 0;
  const list = async (path: string): Promise<HouseListing> => {
    const entries = Array.from({ length: 10_000 }, (_, index) =>
      file(String(listed * 10_000 + index).padStart(9, '0')),
    );
    listed += 1;
    return { path, entries, next: String(listed) };
  };
  const walk: Walk = {
    list,
    enter: () => Promise.resolve(true),
    onSkipped: () => {},
    onOmitted: () => {},
    onUnlisted: () => {},
    entriesMax: 25_000,
  };
  await assert.rejects(
    async () => {
      for await (const _ of walkHouse('', walk)) seen += 1;
    },
    { code: 'failed', message: /over 25000 entries/ },
  );
  assert.equal(seen, 25_000);
});
