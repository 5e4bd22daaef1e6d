import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean } from './did-you-mean.ts';

const names = ['policy', 'announce', 'housePort', 'status', 'peers'];

test('a slip of the keys finds the word that was meant', () => {
  assert.equal(didYouMean('polcy', names), 'policy');
  assert.equal(didYouMean('stauts', names), 'status');
  assert.equal(didYouMean('HOUSEPORT', names), 'housePort');
  assert.equal(didYouMean('pers', names), 'peers');
});

test('a word that is near none is left alone', () => {
  assert.equal(didYouMean('xyzzy', names), undefined);
  assert.equal(didYouMean('', names), undefined);
  assert.equal(didYouMean('policy', []), undefined);
});
