import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../util/testing/temporary-folder.ts';
import { run } from './main.ts';
import { testContext } from './testing/test-context.ts';

const relay = `https://relay.example:3000#sha256=${'ab'.repeat(32)}`;

test('after an import the relay is the next step, unless one is set', async () => {
  await using folder = await temporaryFolder();
  const at = (name: string): ReturnType<typeof testContext> => testContext({ home: join(folder.path, name) });
  const file = join(folder.path, 'me.flashback');
  const secret = join(folder.path, 'passphrase');
  await writeFile(secret, 'correct horse battery\n');
  const withPassphrase = [file, '--passphrase-file', secret];
  assert.equal(await run(['init', '--email', 'me@example.com', '--relay', relay], at('old')), 0);
  assert.equal(await run(['identity', 'export', ...withPassphrase], at('old')), 0);

  const fresh = at('new');
  assert.equal(await run(['identity', 'import', ...withPassphrase], fresh), 0);
  assert.match(fresh.printed.stderr, /No relay is set here: flashback config set relayTrackerUrl URL/);
  assert.match(fresh.printed.stderr, /No folder is shared here: flashback config set fileRootDirectory/);

  assert.equal(await run(['config', 'set', 'relayTrackerUrl', relay], at('new')), 0);
  const again = at('new');
  assert.equal(await run(['identity', 'import', ...withPassphrase], again), 0);
  assert.doesNotMatch(again.printed.stderr, /No relay is set/);
});

test('an export under a short passphrase is wrong usage', async () => {
  await using folder = await temporaryFolder();
  const context = testContext({ home: join(folder.path, 'home') });
  const secret = join(folder.path, 'passphrase');
  await writeFile(secret, 'short\n');
  assert.equal(await run(['init', '--email', 'me@example.com'], context), 0);
  const file = join(folder.path, 'me.flashback');
  assert.equal(await run(['identity', 'export', file, '--passphrase-file', secret], context), 2);
  assert.match(context.printed.stderr, /has 5 characters, at least 10 are needed/);
});
