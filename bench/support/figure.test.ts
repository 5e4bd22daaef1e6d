import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Figure, formatFigure, formatTable, judge } from './figure.ts';

const figure: Figure = {
  subject: 'relay / floor',
  measured: '20.0 µs against 16.0 µs',
  value: 1.25,
  unit: '',
  range: [1.2, 1.3],
  goal: { kind: 'atMost', limit: 1.25 },
  isQuick: false,
};

test('a value at the limit reaches "at most" and "at least", and does not reach "below"', () => {
  assert.equal(judge(figure), 'reached');
  assert.equal(judge({ ...figure, goal: { kind: 'atLeast', limit: 1.25 } }), 'reached');
  assert.equal(judge({ ...figure, goal: { kind: 'below', limit: 1.25 } }), 'not reached');
});

test('a value beyond the limit is not reached, on either side', () => {
  assert.equal(judge({ ...figure, value: 1.26 }), 'not reached');
  assert.equal(judge({ ...figure, value: 1.24, goal: { kind: 'atLeast', limit: 1.25 } }), 'not reached');
});

test('a value that is no number never reaches a goal', () => {
  for (const kind of ['atMost', 'atLeast', 'below'] as const) {
    assert.equal(judge({ ...figure, value: Number.NaN, goal: { kind, limit: 1 } }), 'not reached');
  }
});

test('a quick run judges nothing, whatever it measured', () => {
  assert.equal(judge({ ...figure, value: 9, isQuick: true }), 'not judged (--quick)');
});

test('a line tells the value, its range, the goal and the verdict', () => {
  assert.equal(
    formatFigure(figure),
    'relay / floor: 20.0 µs against 16.0 µs, 1.250 (1.200–1.300), goal ≤ 1.25: reached',
  );
});

test('the columns of the table begin at the same place in every row', () => {
  const lines = formatTable([
    { question: 'lookup', figure },
    { question: 'relay-memory', figure: { ...figure, subject: 'RSS', value: 300, unit: 'MiB' } },
  ]).split('\n');
  const starts = lines.map((line, row) => line.indexOf(['figure', 'relay / floor', 'RSS'][row] ?? ''));
  assert.deepEqual(starts, [14, 14, 14]);
});
