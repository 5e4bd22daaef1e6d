import assert from 'node:assert/strict';
import { test } from 'node:test';
import { safetyWords } from './safety-words.ts';

test('safetyWords are the first 88 bits, 11 a word, in the BIP-39 list', () => {
  for (const [fingerprint, words] of [
    ['0'.repeat(64), 'abandon abandon abandon abandon abandon abandon abandon abandon'],
    ['f'.repeat(64), 'zoo zoo zoo zoo zoo zoo zoo zoo'],
    // 11 bits each: 1024, 0, … , 1: the last counted bit and the first one.
    [
      `8${'0'.repeat(20)}1${'f'.repeat(42)}`,
      'length abandon abandon abandon abandon abandon abandon ability',
    ],
    // SHA-256 of the empty text.
    [
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'together mail awful cradle scrub apart hip leader',
    ],
  ] as const)
    assert.equal(safetyWords(fingerprint).join(' '), words);
});

test('safetyWords differ when any of the first 88 bits differs, and not by a later one', () => {
  const base = BigInt(`0x${'5a'.repeat(32)}`);
  const wordsOf = (value: bigint): string => safetyWords(value.toString(16).padStart(64, '0')).join(' ');
  for (let bit = 0; bit < 256; bit += 1)
    assert.equal(wordsOf(base ^ (1n << BigInt(255 - bit))) !== wordsOf(base), bit < 88, `bit ${bit}`);
});
