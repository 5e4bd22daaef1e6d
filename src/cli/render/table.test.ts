import assert from 'node:assert/strict';
import { test } from 'node:test';
import { displayWidth, padEnd, truncate } from './display-width.ts';
import { renderTable } from './table.ts';

const columns = [
  { title: 'NAME' },
  { title: 'SIZE', align: 'right' },
  { title: 'REMARK', isFlexible: true },
] as const;

test('columns stand below each other, whatever script the names are in', () => {
  const lines = renderTable({
    columns,
    rows: [
      ['notes.txt', '5 B', 'plain'],
      ['日本語', '12.3 MB', 'wide'],
      ['👩‍👩‍👧 us', '1 B', 'a family is one emoji'],
      ['école', '2 B', 'combining accent'],
    ],
    width: undefined,
  });
  const starts = lines.map((line) => {
    const remark = /(?:REMARK|plain|wide|a family|combining).*$/.exec(line)?.[0] ?? '';
    return displayWidth(line) - displayWidth(remark);
  });
  assert.equal(new Set(starts).size, 1, lines.join('\n'));
});

test('the flexible column gives way to the terminal, the others stay whole', () => {
  const lines = renderTable({ columns, rows: [['notes.txt', '5 B', 'x'.repeat(200)]], width: 40 });
  assert.equal(displayWidth(lines[1] ?? ''), 40);
  assert.match(lines[1] ?? '', /^notes\.txt {3}5 B {2}x+…$/);
});

test('output that is no terminal is never cut', () => {
  const lines = renderTable({ columns, rows: [['notes.txt', '5 B', 'x'.repeat(200)]], width: undefined });
  assert.ok((lines[1] ?? '').endsWith('x'.repeat(200)));
});

test('paint decorates without moving anything', () => {
  const bare = renderTable({ columns, rows: [['a', '1', 'b']], width: undefined });
  const painted = renderTable({
    columns,
    rows: [['a', '1', 'b']],
    width: undefined,
    paint: (text, _row, column) => (column === 0 ? `<${text}>` : text),
  });
  assert.equal(painted[1]?.replaceAll(/[<>]/g, ''), bare[1]);
});

test('a cut text fits, and ends in an ellipsis', () => {
  assert.equal(truncate('hello', 5), 'hello');
  assert.equal(truncate('hello', 4), 'hel…');
  assert.equal(truncate('日本語', 5), '日本…');
  assert.equal(truncate('日本語', 4), '日…');
  assert.equal(truncate('hello', 1), '…');
  assert.equal(truncate('hello', 0), '');
  assert.equal(padEnd('日', 4), '日  ');
});
