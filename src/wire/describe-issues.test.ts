import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { describeIssues } from './describe-issues.ts';

const schema = z.object({
  port: z.int('port must be an integer'),
  names: z.array(z.string('is no text')),
});

function describe(value: unknown): string {
  const parsed = schema.safeParse(value);
  assert.ok(!parsed.success);
  return describeIssues(parsed.error);
}

test('each complaint stands with its field, which is not said twice', () => {
  assert.equal(describe({ port: 'x', names: ['a', 1] }), 'port must be an integer; names.1 is no text');
});

test('a complaint about the whole has no field', () => {
  assert.match(describe(null), /^Invalid input/);
});

test('many complaints are cut short, and say how many they are', () => {
  assert.equal(
    describe({ port: 1, names: [1, 2, 3, 4, 5, 6] }),
    'names.0 is no text; names.1 is no text; names.2 is no text; names.3 is no text; and 2 more',
  );
});
