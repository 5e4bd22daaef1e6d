import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import pino from 'pino';
import { holdByRealPath } from '../../util/platform/handle-path.ts';
import { HouseHealthSchema, houseErrors } from '../../wire/house-http.ts';
import { encodeHousePath } from '../../wire/house-path.ts';
import { createHouse, type HouseState } from './create-house.ts';
import { type HouseFixture, openHouse, plant, type Tree } from './testing/house-fixture.ts';

const routes = ['api/files', 'content', 'download', 'archive', 'digest'];

test('a folder that goes away is away on every route, never empty, and there again when it returns', async () => {
  await using fixture = await openHouse({ tree: { 'a.txt': 'x' } });
  const aside = join(fixture.base, 'aside');
  await rename(fixture.root, aside);
  for (const route of routes) {
    for (const path of ['', '/a.txt']) {
      const answer = await fixture.ask(`/${route}${path}`);
      assert.deepEqual([answer.status, answer.json()], [503, { error: houseErrors.away }], route);
      assert.equal(answer.headers['retry-after'], '30');
    }
  }
  const state = fixture.house.state();
  assert.equal(state.kind, 'away');
  assert.match(state.kind === 'away' ? state.reason : '', /does not exist/);
  await rename(aside, fixture.root);
  assert.equal((await fixture.ask('/download/a.txt')).text(), 'x');
  assert.equal(fixture.house.state().kind, 'shared');
});

test('another folder in its place is away until the owner switches sharing off and on', async () => {
  await using fixture = await openHouse({ tree: { 'a.txt': 'x' } });
  await rename(fixture.root, join(fixture.base, 'aside'));
  await mkdir(fixture.root);
  assert.deepEqual((await fixture.ask('/api/files')).json(), { error: houseErrors.away });
  await fixture.house.switchSharing(false);
  assert.equal((await fixture.house.switchSharing(true)).kind, 'shared');
  assert.equal((await fixture.ask('/api/files')).status, 200);
});

test('a file where the folder should be is away', async () => {
  await using fixture = await openHouse();
  await rename(fixture.root, join(fixture.base, 'aside'));
  await writeFile(fixture.root, 'not a folder');
  assert.equal((await fixture.ask('/api/files')).status, 503);
});

test('the empty place of a disk is noticed at the next start by the marker of the last, and no switch makes it shared', async () => {
  await using before = await openHouse();
  const state = before.house.state();
  assert.ok(state.kind === 'shared');
  const onDisk = { ...state.marker, ino: '2', isMountPoint: true };
  await using fixture = await openHouse({ settings: { marker: onDisk } });
  assert.equal((await fixture.ask('/api/files')).status, 503);
  const switched = async (): Promise<HouseState> => {
    await fixture.house.switchSharing(false);
    return await fixture.house.switchSharing(true);
  };
  const after = await switched();
  assert.match(after.kind === 'away' ? after.reason : '', /not mounted/);
});

test('a disk that is unmounted is away, and there again when it is mounted', async (t) => {
  await using fixture = await openHouse();
  const mount = (): unknown =>
    execFileSync('mount', ['-t', 'tmpfs', 'none', fixture.root], { stdio: 'ignore' });
  /** The last request's handles close a moment after its answer. */
  const unmount = async (): Promise<void> => {
    for (let left = 100; left > 0; left -= 1) {
      if (spawnSync('umount', [fixture.root]).status === 0) return;
      await fixture.ask('/nowhere');
    }
    throw new Error('Cannot unmount: the house keeps the disk busy');
  };
  try {
    mount();
  } catch {
    t.skip('this user may not mount');
    return;
  }
  try {
    await fixture.house.switchSharing(false);
    await fixture.house.switchSharing(true);
    await writeFile(join(fixture.root, 'a.txt'), 'on the disk');
    assert.equal((await fixture.ask('/download/a.txt')).text(), 'on the disk');
    // An idle house keeps no disk busy.
    await unmount();
    assert.equal((await fixture.ask('/api/files')).status, 503);
    mount();
    assert.equal((await fixture.ask('/api/files')).status, 200);
  } finally {
    await unmount();
  }
});

test('sharing switched off refuses all but health, cuts what runs, and comes back', async () => {
  await using fixture = await openHouse({ tree: { 'big.bin': Buffer.alloc(64 * 1024 * 1024) } });
  await using running = await fixture.connect();
  running.send('/download/big.bin');
  await once(running.socket, 'data');
  running.socket.pause();
  assert.deepEqual(await fixture.house.switchSharing(false), { kind: 'off' });
  running.socket.resume();
  assert.equal((await running.read()).isWhole, false);
  for (const route of routes) {
    const answer = await fixture.ask(`/${route}/big.bin`);
    assert.deepEqual([answer.status, answer.json()], [503, { error: houseErrors.off }]);
  }
  assert.deepEqual(await health(fixture), { status: 'ok', house: 'off' });
  await fixture.house.switchSharing(true);
  assert.equal((await fixture.ask('/download/big.bin', {}, 'HEAD')).status, 200);
});

test('health answers with what is known, and finds out for the next one who asks', async () => {
  await using fixture = await openHouse();
  assert.deepEqual(await health(fixture), { status: 'ok', house: 'shared' });
  await rename(fixture.root, join(fixture.base, 'aside'));
  await health(fixture);
  await fixture.house.look();
  assert.deepEqual(await health(fixture), { status: 'ok', house: 'away' });
});

test('hidden and ignored things are missing on every route, whatever way leads there', async () => {
  await using fixture = await openHouse({ tree: hiddenTree });
  const { root } = fixture;
  await symlink('.env', join(root, 'link-to-env'));
  await symlink('private', join(root, 'link-to-private'));
  const missing = (await fixture.ask('/download/nothing-at-all')).json();
  const hidden = Object.keys(hiddenTree).filter((path) => !shownPaths.includes(path));
  for (const path of [
    ...hidden,
    '.git',
    'private',
    'deep/Private',
    'link-to-env',
    'link-to-private',
    'link-to-private/diary.txt',
  ]) {
    for (const route of routes) {
      const answer = await fixture.ask(`/${route}/${encodeHousePath(path)}`);
      assert.deepEqual([answer.status, answer.json()], [404, missing], `${route} ${path}`);
    }
  }
  for (const path of shownPaths) assert.equal((await fixture.ask(`/download/${path}`)).text(), 'x', path);
  assert.deepEqual(await namesIn(fixture, ''), ['a.txt', 'deep', 'keep.bak', 'kept']);
  assert.deepEqual(await namesIn(fixture, '/deep'), ['b.txt']);
  // Nobody but the owner shows them.
  assert.deepEqual(await namesIn(fixture, '?hidden=1&showHidden=true'), [
    'a.txt',
    'deep',
    'keep.bak',
    'kept',
  ]);
});

const hiddenTree: Tree = {
  '.flashbackignore': '# ours\nprivate/\n*.bak\n!keep.bak\n/only-top.txt\n',
  'a.txt': 'x',
  'keep.bak': 'x',
  'kept/only-top.txt': 'x',
  'deep/b.txt': 'x',
  'a.bak': 'x',
  'only-top.txt': 'x',
  'private/diary.txt': 'x',
  'deep/Private/diary.txt': 'x',
  'deep/a.BAK': 'x',
  '.env': 'x',
  '.git/config': 'x',
  'deep/.ssh/id_ed25519': 'x',
  'Thumbs.db': 'x',
  'desktop.ini': 'x',
  '$RECYCLE.BIN/S-1/a.txt': 'x',
  'System Volume Information/a.txt': 'x',
  'film.mkv.partial': 'x',
  id_rsa: 'x',
  'server.KEY': 'x',
  'cert.pem': 'x',
};
const shownPaths = ['a.txt', 'keep.bak', 'kept/only-top.txt', 'deep/b.txt'];

test('showHidden shows them all, but never what is never served', async () => {
  const home = await openHouse();
  const secret = join(home.root, '.local/share/flashback');
  await plant(home.root, {
    '.local/share/flashback/client.key': 'x',
    '.local/share/other.txt': 'x',
    '.env': 'x',
  });
  const settings = { root: home.root, allowPrograms: false, showHidden: true, neverServed: [secret] };
  await using _home = home;
  await using fixture = await openHouse({ settings });
  assert.equal((await fixture.ask('/download/.env')).text(), 'x');
  assert.deepEqual(await namesIn(fixture, '/.local/share'), ['other.txt']);
  await symlink('.local/share/flashback', join(home.root, 'link'));
  for (const path of [
    '.local/share/flashback',
    '.local/share/flashback/client.key',
    'link',
    'link/client.key',
  ]) {
    for (const route of routes) assert.equal((await fixture.ask(`/${route}/${path}`)).status, 404, path);
  }
  // And the house is not inside it either.
  await using inside = await openHouse({ settings: { ...settings, root: secret } });
  assert.equal((await inside.ask('/api/files')).status, 503);
});

test('an ignore file that cannot be used closes the house instead of opening it, until it is mended', async () => {
  await using fixture = await openHouse({ tree: { 'a.txt': 'x' } });
  const file = join(fixture.root, '.flashbackignore');
  const ways: (() => Promise<void>)[] = [
    () => mkdir(file),
    () => symlink('../outside/secret.txt', file),
    () => writeFile(file, Buffer.from([0xff, 0xfe, 0x00])),
    () => writeFile(file, 'x\n'.repeat(1001)),
    () => writeFile(file, 'x'.repeat(300_000)),
  ];
  for (const [index, make] of ways.entries()) {
    await make();
    const answer = await fixture.ask('/download/a.txt');
    assert.deepEqual([answer.status, answer.json()], [503, { error: houseErrors.away }], `way ${index}`);
    const state = fixture.house.state();
    assert.match(state.kind === 'away' ? state.reason : '', /flashbackignore cannot be used/);
    await rm(file, { recursive: true });
  }
  await writeFile(file, 'a.txt');
  assert.equal((await fixture.ask('/download/a.txt')).status, 404);
  await writeFile(file, 'b.txt');
  assert.equal((await fixture.ask('/download/a.txt')).status, 200);
});

test('one visitor with 64 requests under way waits, and others do not', async () => {
  let fingerprint = 'one';
  await using fixture = await openHouse({
    tree: { 'big.bin': Buffer.alloc(16 * 1024 * 1024), 'a.txt': 'x' },
    visitorOf: () => ({ email: 'visitor@example.com', fingerprint }),
  });
  const connections = await Promise.all(Array.from({ length: 64 }, () => fixture.connect()));
  for (const connection of connections) {
    connection.send('/download/big.bin');
    await once(connection.socket, 'data');
    connection.socket.pause();
  }
  assert.deepEqual((await fixture.ask('/download/a.txt')).json(), { error: houseErrors.busy });
  assert.equal((await fixture.ask('/health')).status, 200);
  fingerprint = 'two';
  assert.equal((await fixture.ask('/download/a.txt')).text(), 'x');
  for (const connection of connections) await connection[Symbol.asyncDispose]();
});

test('without handles that tell their place the house refuses the same things', async () => {
  await using fixture = await openHouse({ tree: { ...hiddenTree, 'real/x.txt': 'x' }, hold: holdByRealPath });
  const { root, outside } = fixture;
  await symlink(outside, join(root, 'out'));
  await symlink('real', join(root, 'in'));
  for (const path of ['out', 'out/secret.txt', '.env', 'deep/Private/diary.txt']) {
    for (const route of routes) assert.equal((await fixture.ask(`/${route}/${path}`)).status, 404, path);
  }
  assert.equal((await fixture.ask('/download/in/x.txt')).text(), 'x');
  assert.deepEqual(await namesIn(fixture, '/in'), ['x.txt']);
  assert.equal((await fixture.ask('/archive?format=tar')).isWhole, true);
  assert.equal((await fixture.ask('/digest/in/x.txt')).status, 200);
});

test('requests that follow each other on one connection before an answer are answered in order', async () => {
  await using fixture = await openHouse({ tree: { 'a.txt': 'a', 'b.txt': 'b' } });
  await using connection = await fixture.connect();
  const names = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? 'a' : 'b'));
  for (const name of names) connection.send(`/download/${name}.txt`);
  for (const name of names) assert.equal((await connection.read()).text(), name);
});

test('a relative path is no house', async () => {
  const settings = { root: 'somewhere', allowPrograms: false, showHidden: false };
  await assert.rejects(
    createHouse(settings, pino({ level: 'silent' })),
    /must be absolute, and is "somewhere"/,
  );
});

test('a house whose folder is not there yet begins away and takes the first that appears', async () => {
  const root = join(tmpdir(), `flashback-later-${process.pid}`);
  await using house = await createHouse(
    { root, allowPrograms: false, showHidden: false },
    pino({ level: 'silent' }),
  );
  assert.equal(house.state().kind, 'away');
  await mkdir(root);
  try {
    assert.equal((await house.look()).kind, 'shared');
  } finally {
    await rm(root, { recursive: true });
  }
});

async function health(fixture: HouseFixture) {
  return HouseHealthSchema.parse((await fixture.ask('/health')).json());
}

async function namesIn(fixture: HouseFixture, rest: string): Promise<string[]> {
  const { entries } = (await fixture.ask(`/api/files${rest}`)).json() as { entries: { name: string }[] };
  return entries.map((entry) => entry.name);
}
