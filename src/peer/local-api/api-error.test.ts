import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArchiveError } from '../../identity/identity-archive.ts';
import { describeFailure } from './api-error.ts';

test('a passphrase that is too short is the mistake of the one who asked', () => {
  assert.deepEqual(describeFailure(new ArchiveError('weak-passphrase', 'it has 3 characters')), {
    status: 400,
    failure: { error: 'it has 3 characters', code: 'bad_request' },
  });
  assert.equal(describeFailure(new ArchiveError('malformed', 'no archive')).status, 500);
});
