import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStream } from '../testing/test-context.ts';
import { displayWidth } from './display-width.ts';
import { ProgressBar, renderProgress } from './progress-bar.ts';

const half = { name: 'film.mkv', bytes: 50e6, total: 100e6, bytesPerSecond: 10e6, secondsLeft: 5 };

test('a line of progress says name, share, bytes, speed and time left', () => {
  const line = renderProgress(half, 100);
  assert.match(line, /^film\.mkv +\[#{15}-{15}\] {3}50 % {2}50\.0 MB of 100 MB {2}10\.0 MB\/s {2}5 s left$/);
});

test('the progress of a folder says how many files are complete, and of how many when that is known', () => {
  const folder = { name: 'set', bytes: 5_000, total: 0, bytesPerSecond: 0, files: 1_158 };
  assert.equal(renderProgress(folder, 100), 'set  5.0 kB  1,158 files');
  assert.equal(renderProgress({ ...folder, filesTotal: 2_000 }, 100), 'set  5.0 kB  1,158 of 2,000 files');
  assert.match(
    renderProgress({ ...half, files: 2, filesTotal: 4 }, 120),
    / 50 % {2}50\.0 MB of 100 MB {2}2 of 4 files {2}10\.0 MB\/s {2}5 s left$/,
  );
});

test('a line of progress never fills its terminal, whatever the name', () => {
  const names = ['film.mkv', 'x'.repeat(300), '長い名前'.repeat(30), ''];
  for (const name of names)
    for (let columns = 10; columns <= 200; columns += 1) {
      const line = renderProgress({ ...half, name, files: 1_000_000, filesTotal: 1_000_000 }, columns);
      assert.ok(displayWidth(line) < columns, `${columns} columns: ${line}`);
    }
});

test('a length that is not known yet shows no share', () => {
  assert.doesNotMatch(renderProgress({ name: 'a', bytes: 5, total: 0, bytesPerSecond: 0 }, 80), /%/);
});

test('more bytes than were announced stay at 100 %', () => {
  assert.match(renderProgress({ ...half, bytes: 200e6 }, 100), /100 %/);
});

test('pictures come at most ten times a second, and the line goes when it is cleared', () => {
  const { stream, text } = memoryStream(true, 80);
  let nowMs = 0;
  const bar = new ProgressBar(stream, { nowMs: () => nowMs });
  for (nowMs = 0; nowMs < 1000; nowMs += 1) bar.update(half);
  bar.clear();
  assert.equal(text().split('\r').length - 1, 11);
  assert.ok(text().endsWith('\r\u001b[K'));
});

test('what is no terminal gets no progress', () => {
  const { stream, text } = memoryStream(false);
  const bar = new ProgressBar(stream);
  bar.update(half);
  bar.clear();
  assert.equal(text(), '');
});
