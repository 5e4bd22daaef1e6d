import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePathHolder, type HeldPath, type PathHolder } from '../../util/platform/handle-path.ts';
import { HouseRoot, type RootMarker } from './house-root.ts';

test('a disk that does not answer is away, asks no more than twice at once, and is there when it answers', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const answers: ((held: Promise<HeldPath>) => void)[] = [];
  const hold: PathHolder = () => new Promise((resolve) => void answers.push(resolve));
  const root = new HouseRoot('/', hold, undefined);
  for (let turn = 0; turn < 2; turn += 1) {
    const look = root.open();
    t.mock.timers.tick(10_000);
    assert.deepEqual(await look, { kind: 'away', reason: 'its disk does not answer: /' });
  }
  // The third is not even asked for.
  assert.equal((await root.open()).kind, 'away');
  assert.equal(answers.length, 2);
  const realHold = await choosePathHolder();
  const late = answers.map((answer) => {
    const held = realHold('/');
    answer(held);
    return held;
  });
  await Promise.all(late);
  await new Promise((resolve) => setImmediate(resolve));
  // What came too late was closed: nobody else would.
  for (const held of late) await assert.rejects((await held).openFile());
  const look = root.open();
  answers[2]?.(realHold('/'));
  const found = await look;
  assert.ok(found.kind === 'there');
  await found.root[Symbol.asyncDispose]();
});

test('since an earlier run the inode and the mount must be the same, not the number of the device', async () => {
  const hold = await choosePathHolder();
  const marker = await markerOf(new HouseRoot('/', hold, undefined));
  const cases = [
    [marker, 'there'],
    [{ ...marker, dev: '1' }, 'there'],
    [{ ...marker, ino: '1' }, 'away'],
    [{ ...marker, isMountPoint: !marker.isMountPoint }, 'away'],
  ] as const;
  for (const [given, kind] of cases) {
    const look = await new HouseRoot('/', hold, given).open();
    assert.equal(look.kind, kind, JSON.stringify(given));
    if (look.kind === 'there') await look.root[Symbol.asyncDispose]();
  }
});

test('a folder with the same inode on another device is another folder', async () => {
  const hold = await choosePathHolder();
  let device: bigint | undefined;
  const moving: PathHolder = async (path) => {
    const held = await hold(path);
    return device === undefined ? held : { ...held, stats: Object.assign(held.stats, { dev: device }) };
  };
  const root = new HouseRoot('/', moving, undefined);
  const marker = await markerOf(root);
  device = BigInt(marker.dev) + 1n;
  const look = await root.open();
  assert.equal(look.kind, 'away');
});

async function markerOf(root: HouseRoot): Promise<RootMarker> {
  const look = await root.open();
  assert.ok(look.kind === 'there');
  await look.root[Symbol.asyncDispose]();
  return look.marker;
}
