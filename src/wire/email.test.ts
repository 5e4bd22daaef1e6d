import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EmailSchema, emailCharactersMax, parseEmail } from './email.ts';

const longLabel = 'x'.repeat(63);
/** 254 characters, and with one more in front 255. */
const longest = `${'a'.repeat(60)}@${longLabel}.${longLabel}.${longLabel}.${'d'.repeat(1)}`;

test('parseEmail gives the lower-case form of what is an e-mail', () => {
  for (const [text, email] of [
    ['a@b', 'a@b'],
    ['Ann.Other@Example.COM', 'ann.other@example.com'],
    ["o'neil+tag/x=y@mail.example", "o'neil+tag/x=y@mail.example"],
    ['#!$%&*?^_`{|}~-@x-y.example', '#!$%&*?^_`{|}~-@x-y.example'],
    [`${'l'.repeat(64)}@h`, `${'l'.repeat(64)}@h`],
    ['me@10.0.0.1', 'me@10.0.0.1'],
  ] as const)
    assert.deepEqual(parseEmail(text), { email });
});

test('parseEmail takes 254 characters and says what 255 are too many for', () => {
  const room = emailCharactersMax - longest.length;
  const exact = `${longest}${'e'.repeat(room)}`;
  assert.equal(exact.length, emailCharactersMax);
  assert.deepEqual(parseEmail(exact), { email: exact });
  assert.deepEqual(parseEmail(`${exact}e`), { problem: 'email has 255 characters, the limit is 254' });
});

test('parseEmail refuses what is not name@host', () => {
  for (const text of [
    'plain',
    '@host',
    'name@',
    'a@@b',
    'a@b@c',
    '.a@b',
    'a.@b',
    'a..b@c',
    'a@-b',
    'a@b-',
    'a@b..c',
    'a@.b',
    'a@b.',
    '"quoted"@b',
    'a@[127.0.0.1]',
    '<a@b>',
    'a@b,c@d',
    'a;b@c',
    'a\\b@c',
    'a@b_c',
    `${'l'.repeat(65)}@h`,
    `a@${'x'.repeat(64)}`,
  ])
    assert.deepEqual(parseEmail(text), { problem: 'email is not of the form name@host' }, text);
});

test('parseEmail refuses everything but printable ASCII, blanks and line ends included', () => {
  for (const text of [
    'ä@b',
    'a@b.рф',
    'a b@c',
    ' a@b',
    'a@b\n',
    'a@b\r\nx: y',
    'a\0@b',
    'a@b\u007f',
    'ａ@b',
    '\u202ea@b',
  ])
    assert.deepEqual(parseEmail(text), { problem: 'email may hold printable ASCII characters only' }, text);
  assert.deepEqual(parseEmail(''), { problem: 'email is empty' });
});

test('parseEmail of letters that lower to ASCII elsewhere: no Kelvin sign, no dotted capital I', () => {
  for (const text of ['\u212a@b', '\u0130@b', 'a@\u212a']) assert.ok('problem' in parseEmail(text));
});

test('parseEmail answers in time whatever the text repeats', () => {
  const startedMs = performance.now();
  for (const part of ['a.', '.', 'a-', '-', 'a@', '!', 'a.a@']) {
    for (let length = 200; length <= 254; length += 1) parseEmail(part.repeat(254).slice(0, length));
  }
  // Milliseconds in truth; a pattern that backtracks would take longer than anybody waits.
  assert.ok(performance.now() - startedMs < 5000);
});

test('EmailSchema gives the canonical form and names what is wrong', () => {
  assert.equal(EmailSchema.parse('A@B'), 'a@b');
  for (const [value, message] of [
    [undefined, 'email is missing'],
    [null, 'email must be a string'],
    [['a@b'], 'email must be a string'],
    ['nobody', 'email is not of the form name@host'],
  ] as const)
    assert.equal(EmailSchema.safeParse(value).error?.issues[0]?.message, message);
});
