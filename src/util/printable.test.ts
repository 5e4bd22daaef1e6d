import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable } from './printable.ts';

const escaped: readonly (readonly [string, string, string])[] = [
  ['an escape sequence that clears the screen', 'a\u001b[2Jb', 'a\\u{1b}[2Jb'],
  ['line ends and tabs', 'one\r\ntwo\tthree', 'one\\u{d}\\u{a}two\\u{9}three'],
  ['NUL, DEL and C1 controls', '\0\u007f\u009b', '\\u{0}\\u{7f}\\u{9b}'],
  ['a right-to-left override that hides an extension', 'photo\u202egpj.exe', 'photo\\u{202e}gpj.exe'],
  ['isolates and the Arabic letter mark', '\u2066\u2069\u061c', '\\u{2066}\\u{2069}\\u{61c}'],
  ['zero-width characters', 'pay\u200bpal\ufeff\u200d', 'pay\\u{200b}pal\\u{feff}\\u{200d}'],
  ['line and paragraph separators', '\u2028\u2029', '\\u{2028}\\u{2029}'],
  [
    'soft hyphens and fillers that show nothing',
    '\u00ad\u3164\uffa0\u180e',
    '\\u{ad}\\u{3164}\\u{ffa0}\\u{180e}',
  ],
  ['tags beyond the basic plane, whole', '\u{e0041}', '\\u{e0041}'],
  ['interlinear annotations', '\ufff9\ufffb', '\\u{fff9}\\u{fffb}'],
  ['half surrogate pairs', 'a\ud800b\udc00', 'a\\u{d800}b\\u{dc00}'],
];

for (const [what, text, shown] of escaped) {
  test(`printable escapes ${what}`, () => assert.equal(printable(text), shown));
}

test('printable leaves ordinary names of every script and emoji as they are', () => {
  for (const text of [
    '',
    'a b.txt',
    'Übergröße',
    'résumé',
    '日本語',
    'русский',
    'العربية',
    'हिन्दी',
    '😀',
    '❤️',
    '\\u{1b}',
  ])
    assert.equal(printable(text), text);
});
