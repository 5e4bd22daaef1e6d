import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureCodes } from '../wire/local-api.ts';
import { exitCodeOf } from './exit-code.ts';

/** Scripts depend on these numbers: a change here is a change of the interface. */
const table: readonly (readonly [code: string, exitCode: number])[] = [
  ['bad_request', 2],
  ['usage', 2],
  ['invalid_settings', 2],
  ['weak-passphrase', 2],
  ['not_found', 3],
  ['unreachable', 4],
  ['away', 4],
  ['relay_away', 4],
  ['daemon_not_running', 4],
  ['refused', 5],
  ['identity_changed', 6],
  ['exists', 1],
  ['corrupt', 1],
  ['cancelled', 1],
  ['failed', 1],
  ['interrupted', 130],
  ['something nobody knows', 1],
  ['constructor', 1],
];

for (const [code, exitCode] of table)
  test(`a failure "${code}" exits with ${exitCode}`, () => assert.equal(exitCodeOf(code), exitCode));

test('every code that the daemon may answer has its line in the table', () => {
  const known = table.map(([code]) => code);
  assert.deepEqual(
    failureCodes.filter((code) => !known.includes(code)),
    [],
  );
});
