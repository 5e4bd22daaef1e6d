import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePathHolder, type HeldPath, type PathHolder } from '../../util/platform/handle-path.ts';
import { HouseRoot } from './house-root.ts';

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

test('the top of a disk that was plugged in again is the same folder, and another inode is not', async () => {
  const hold = await choosePathHolder();
  const first = await new HouseRoot('/', hold, undefined).open();
  assert.ok(first.kind === 'there');
  await first.root[Symbol.asyncDispose]();
  const { marker } = first;
  const cases = [
    [{ ...marker, isMountPoint: false }, 'there'],
    [{ ...marker, dev: '1', isMountPoint: false }, 'away'],
    [{ ...marker, ino: '1', isMountPoint: false }, 'away'],
    [{ ...marker, isMountPoint: true }, 'away'],
  ] as const;
  for (const [given, kind] of cases) {
    const look = await new HouseRoot('/', hold, given).open();
    assert.equal(look.kind, kind, JSON.stringify(given));
    if (look.kind === 'there') await look.root[Symbol.asyncDispose]();
  }
});
