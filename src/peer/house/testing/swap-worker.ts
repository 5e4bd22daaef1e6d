/** Thread of `swap-race.test.ts`: swaps what lies inside for links to the outside and back, as fast as it can. */
import { renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { workerData } from 'node:worker_threads';

export interface SwapOrder {
  readonly root: string;
  readonly outside: string;
  /** Int32: how many swaps were made; whether to stop. */
  readonly counters: SharedArrayBuffer;
}

const { root, outside, counters } = workerData as SwapOrder;
const shared = new Int32Array(counters);

const link = (target: string, name: string): void => symlinkSync(target, join(root, name));
const move = (from: string, to: string): void => renameSync(join(root, from), join(root, to));

link(outside, 'link-to-outside');
for (let turn = 0; Atomics.load(shared, 1) === 0; turn += 1) {
  // A link in last place, replaced in one step.
  link(turn % 2 === 0 ? join(outside, 'file.txt') : 'home/file.txt', 'next');
  move('next', 'leaf.txt');
  // A folder in the middle, replaced by a link of the same name and put back.
  move('folder', 'folder-aside');
  move('link-to-outside', 'folder');
  move('folder', 'link-to-outside');
  move('folder-aside', 'folder');
  // A link in the middle.
  link(turn % 2 === 0 ? outside : 'home', 'next');
  move('next', 'way');
  Atomics.add(shared, 0, 3);
}
