import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wrap } from './wrap.ts';

test('a text is broken at spaces, and nothing of it is lost', () => {
  const text =
    'The folder that you share does not exist: /home/anna/a-very-long-path/that/has/no/spaces at all';
  const lines = wrap(text, 24);
  assert.equal(lines.join(' '), text);
  for (const line of lines) assert.ok(line.length <= 24 || !line.includes(' '), line);
});

test('a short text, a text for no terminal and one for a sliver of a terminal are one line', () => {
  assert.deepEqual(wrap('short', 80), ['short']);
  assert.deepEqual(wrap('x '.repeat(200), undefined), ['x '.repeat(200)]);
  assert.deepEqual(wrap('one two three four five', 5), ['one two three four five']);
});
