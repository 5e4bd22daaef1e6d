import { wordlist } from '@scure/bip39/wordlists/english.js';
import type { Fingerprint } from './fingerprint.ts';

const wordCount = 8;
/** The BIP-39 list has 2048 words, told apart by their first four letters. */
const bitsPerWord = 11;

/**
 * Eight words that two people compare over the phone: the fingerprint's first 88 bits, 11 a word. Finding another
 * key with the same words takes 2^88 tries; there are no collisions to exploit, one side is fixed.
 */
export function safetyWords(fingerprint: Fingerprint): string[] {
  let bits = BigInt(`0x${fingerprint}`) >> BigInt(256 - wordCount * bitsPerWord);
  const words: string[] = [];
  for (let index = 0; index < wordCount; index += 1) {
    const word = wordlist[Number(bits & 2047n)];
    if (word === undefined) throw new Error('Cannot make safety words: the word list is not BIP-39');
    words.unshift(word);
    bits >>= BigInt(bitsPerWord);
  }
  return words;
}
