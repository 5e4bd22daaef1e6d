import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { createIdentity, type KeyAndCertificate } from './create-identity.ts';
import {
  ArchiveError,
  archiveCharactersMax,
  exportIdentity,
  importIdentity,
  passphraseCharactersMin,
} from './identity-archive.ts';

const passphrase = 'correct horse battery';

async function problemOf(text: string, tried = passphrase): Promise<string> {
  try {
    await importIdentity(text, tried);
  } catch (error) {
    assert.ok(error instanceof ArchiveError, String(error));
    return error.code;
  }
  throw new Error('the archive was opened');
}

describe('an archive', () => {
  let parts: KeyAndCertificate;
  let archive: string;
  before(async () => {
    parts = await createIdentity('me@example.com');
    archive = await exportIdentity({ parts, extra: { friends: ['ann@example.com'] } }, passphrase);
  });

  test('gives back what was sealed', async () => {
    const { identity, extra } = await importIdentity(archive, passphrase);
    assert.equal(identity.keyPem, parts.keyPem);
    assert.equal(identity.certificatePem, parts.certificatePem);
    assert.equal(identity.claims.email, 'me@example.com');
    assert.deepEqual(extra, { friends: ['ann@example.com'] });
  });

  test('shows neither key nor e-mail nor friends to who has no passphrase', () => {
    for (const secret of ['me@example', 'ann@example', 'PRIVATE', parts.keyPem.slice(40, 80)]) {
      assert.ok(!archive.includes(secret));
      assert.ok(!Buffer.from(sealedOf(archive), 'base64').toString('latin1').includes(secret));
    }
  });

  test('is another one each time', async () => {
    const again = await exportIdentity({ parts }, passphrase);
    assert.notEqual(sealedOf(again), sealedOf(archive));
  });

  test('stays closed to another passphrase', async () => {
    assert.equal(await problemOf(archive, 'Correct horse battery'), 'wrong-passphrase');
    assert.equal(await problemOf(archive, ''), 'wrong-passphrase');
  });

  test('stays closed when a byte of any field was altered', async () => {
    for (const field of ['salt', 'nonce', 'sealed'] as const) {
      const value = JSON.parse(archive) as Record<string, string>;
      const bytes = Buffer.from(value[field] ?? '', 'base64');
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      assert.equal(
        await problemOf(JSON.stringify({ ...value, [field]: bytes.toString('base64') })),
        'wrong-passphrase',
        field,
      );
    }
  });

  test('stays closed when sealed bytes are missing, or nearly all, or a field is empty', async () => {
    const value = JSON.parse(archive) as Record<string, string>;
    const sealed = Buffer.from(value['sealed'] ?? '', 'base64');
    for (const length of [0, 15, 16, sealed.length - 1]) {
      const short = { ...value, sealed: sealed.subarray(0, length).toString('base64') };
      assert.equal(await problemOf(JSON.stringify(short)), 'wrong-passphrase', `${length} bytes`);
    }
    assert.equal(await problemOf(JSON.stringify({ ...value, nonce: '' })), 'wrong-passphrase');
  });

  test('is refused unopened when its text is cut, foreign, of another version, or too long', async () => {
    const value = JSON.parse(archive) as Record<string, unknown>;
    const text = archive.trimEnd();
    for (let length = 0; length < text.length; length += 37)
      assert.equal(await problemOf(text.slice(0, length)), 'malformed', `${length} characters`);
    for (const foreign of [
      'null',
      '[]',
      '{}',
      JSON.stringify({ ...value, version: 2 }),
      JSON.stringify({ ...value, format: 'other' }),
      JSON.stringify({ ...value, salt: 5 }),
      JSON.stringify({ ...value, sealed: 'not base64!' }),
      JSON.stringify({ ...value, sealed: undefined }),
      ' '.repeat(archiveCharactersMax + 1),
    ])
      assert.equal(await problemOf(foreign), 'malformed', foreign.slice(0, 40));
  });
});

test('a passphrase is the same however its letters were typed', async () => {
  const parts = await createIdentity('me@example.com');
  const archive = await exportIdentity({ parts }, 'schl\u00fcsselbund');
  const { identity, extra } = await importIdentity(archive, 'schlu\u0308sselbund');
  assert.equal(identity.keyPem, parts.keyPem);
  assert.equal(extra, undefined);
});

test('a passphrase that is soon tried is refused', async () => {
  const parts = await createIdentity('me@example.com');
  await assert.rejects(
    exportIdentity({ parts }, 'x'.repeat(passphraseCharactersMin - 1)),
    (error) =>
      error instanceof ArchiveError &&
      error.code === 'weak-passphrase' &&
      error.message === 'The passphrase has 9 characters, at least 10 are needed',
  );
});

test('an archive of a key and a certificate that do not belong together is refused', async () => {
  const [one, other] = [await createIdentity('me@example.com'), await createIdentity('me@example.com')];
  const mixed = { keyPem: one.keyPem, certificatePem: other.certificatePem };
  const archive = await exportIdentity({ parts: mixed }, passphrase);
  await assert.rejects(importIdentity(archive, passphrase), { name: 'IdentityError', code: 'mismatch' });
});

function sealedOf(archive: string): string {
  return (JSON.parse(archive) as { sealed: string }).sealed;
}
