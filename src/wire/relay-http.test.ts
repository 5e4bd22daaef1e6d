import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { z } from 'zod';
import { describeIssues } from './describe-issues.ts';
import {
  AnnouncedPeerSchema,
  ReadyRequestSchema,
  RegisterRequestSchema,
  requestBodyBytesMax,
} from './relay-http.ts';

function problemOf(schema: z.ZodType, value: unknown): string {
  const parsed = schema.safeParse(value);
  assert.ok(!parsed.success, `${JSON.stringify(value)} is refused`);
  return describeIssues(parsed.error);
}

const ready = { port: 4711, addresses: ['192.168.1.50', 'FE80::1'] };

test('ReadyRequestSchema keeps what it knows in canonical form and drops what it does not', () => {
  assert.deepEqual(ReadyRequestSchema.parse({ ...ready, later: { nested: true }, __proto__: { port: 1 } }), {
    port: 4711,
    addresses: ['192.168.1.50', 'fe80::1'],
  });
  const full = { ...ready, addresses: [], capabilities: ['link/1'], announce: 'friends', friends: ['A@B'] };
  assert.deepEqual(ReadyRequestSchema.parse(full), { ...full, friends: ['a@b'] });
});

test('ReadyRequestSchema names what is wrong with each field', () => {
  for (const [change, problem] of [
    [{ port: undefined }, 'port is missing'],
    ...[0, 65_536, -1, 1.5, '80', null, true, Number.NaN, [80]].map(
      (port) => [{ port }, 'port must be an integer from 1 to 65535'] as const,
    ),
    [{ addresses: undefined }, 'addresses is missing'],
    [{ addresses: '10.0.0.1' }, 'addresses must be an array of IP literals'],
    [
      { addresses: ['10.0.0.1', 'home'] },
      'addresses.1 is not an IP literal (host names and zone ids are refused)',
    ],
    [{ addresses: [7] }, 'addresses.0 is not an IP literal (host names and zone ids are refused)'],
    [{ addresses: Array(17).fill('10.0.0.1') }, 'addresses holds more than 16 entries'],
    [{ capabilities: 'link/1' }, 'capabilities must be an array of strings'],
    ...['', 'x'.repeat(65), 'a b', 'a\0b', 'ä', '\ud800', 5].map(
      (name) =>
        [{ capabilities: [name] }, 'capabilities.0 must be 1 to 64 printable ASCII characters'] as const,
    ),
    [{ capabilities: Array(33).fill('x') }, 'capabilities holds more than 32 entries'],
    [{ announce: 'everyone' }, 'announce must be "all", "friends" or "none"'],
    [{ friends: ['x@y', 'nobody'] }, 'friends.1 email is not of the form name@host'],
    [{ friends: Array(501).fill('x@y') }, 'friends holds more than 500 entries'],
  ] as const)
    assert.equal(problemOf(ReadyRequestSchema, { ...ready, ...change }), problem, JSON.stringify(change));
});

test('RegisterRequestSchema names what is wrong with each field', () => {
  for (const [value, problem] of [
    [{}, 'email is missing; certificate is missing'],
    [{ email: 'a@b' }, 'certificate is missing'],
    [{ email: 'a@b', certificate: 7 }, 'certificate must be a string holding a PEM certificate'],
    [{ email: 'a@b', certificate: '' }, 'certificate is empty'],
    [{ email: 'a@b', certificate: 'x'.repeat(8193) }, 'certificate is longer than 8192 characters'],
    [{ email: { toString: 'a@b' }, certificate: 'x' }, 'email must be a string'],
  ] as const)
    assert.equal(problemOf(RegisterRequestSchema, value), problem);
});

test('the largest registration fits into the body limit', () => {
  const body = JSON.stringify({ email: 'e'.repeat(254), certificate: '\n'.repeat(8192) });
  assert.ok(body.length < requestBodyBytesMax);
});

test('AnnouncedPeerSchema takes an answer with fields of the future', () => {
  const peer = {
    email: 'a@b',
    port: 1,
    addresses: [],
    observed_address: '::1',
    capabilities: [],
    last_seen: '2026-01-01T00:00:00.000Z',
  };
  assert.deepEqual(AnnouncedPeerSchema.parse({ ...peer, mood: 'fine' }), peer);
  assert.equal(AnnouncedPeerSchema.safeParse({ ...peer, last_seen: '2026-01-01' }).success, false);
});
