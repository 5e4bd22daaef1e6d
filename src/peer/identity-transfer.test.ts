import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ArchiveError } from '../identity/identity-archive.ts';
import { IdentityError, loadIdentity } from '../identity/key-store.ts';
import { testIdentity } from '../identity/testing/test-identity.ts';
import { dataFolders } from '../util/platform/data-folder.ts';
import { temporaryFolder } from '../util/testing/temporary-folder.ts';
import {
  exportArchive,
  exportFromFolder,
  type Imported,
  importArchive,
  type TransferSurroundings,
} from './identity-transfer.ts';
import { initialise } from './initialise.ts';
import { pinOf } from './state/known-peers.ts';
import { StateStore } from './state/state-store.ts';

const passphrase = 'correct horse battery';

test('identity and friends arrive on a new machine as they were', async () => {
  await using folder = await temporaryFolder();
  const old = await person(folder.path, 'old', 'me@example.com');
  const friend = await testIdentity('friend@example.com');
  addFriend(old.home, friend);
  const archive = await exportFromFolder(old.surroundings, passphrase);

  const fresh = surroundingsOf(join(folder.path, 'new'));
  const result = await takeOver(fresh, archive);

  assert.equal(result.card.fingerprint, old.fingerprint);
  assert.equal(result.friendsImported, 1);
  assert.equal(result.backupFolder, undefined);
  const [imported] = friendsIn(fresh.folders.data);
  assert.equal(imported?.email, 'friend@example.com');
  assert.equal(imported?.fingerprint, friend.claims.fingerprint);
  assert.equal(imported?.publicKeyHash, friend.claims.publicKeyHash);
  assert.equal(imported?.origin, 'import');
  if (process.platform !== 'win32')
    assert.equal((await stat(join(fresh.folders.data, 'identity', 'client.key'))).mode & 0o777, 0o600);
});

test('the archive shows nothing of what is in it', async () => {
  await using folder = await temporaryFolder();
  const me = await person(folder.path, 'me', 'me@example.com');
  addFriend(me.home, await testIdentity('friend@example.com'));
  const archive = await exportFromFolder(me.surroundings, passphrase);
  const { keyPem } = await loadIdentity(join(me.home, 'identity'));
  for (const secret of ['example.com', 'PRIVATE KEY', me.fingerprint, keyPem.split('\n')[1] ?? keyPem])
    assert.ok(!archive.includes(secret), secret);
});

test('a wrong passphrase changes nothing', async () => {
  await using folder = await temporaryFolder();
  const me = await person(folder.path, 'me', 'me@example.com');
  const archive = await exportFromFolder(me.surroundings, passphrase);
  const fresh = surroundingsOf(join(folder.path, 'new'));
  await assert.rejects(
    importArchive({ ...fresh, archive, passphrase: 'correct horse batterz', isReplacing: true }),
    (error) => error instanceof ArchiveError && error.code === 'wrong-passphrase',
  );
  await assert.rejects(readdir(fresh.folders.data), { code: 'ENOENT' });
});

test('an archive that was cut short anywhere is refused, and changes nothing', async () => {
  await using folder = await temporaryFolder();
  const me = await person(folder.path, 'me', 'me@example.com');
  const archive = await exportFromFolder(me.surroundings, passphrase);
  const fresh = surroundingsOf(join(folder.path, 'new'));
  // The last bytes are the closing brace and a line feed: without the line feed alone it is whole.
  for (let length = 0; length < archive.trimEnd().length; length += 37)
    await assert.rejects(
      importArchive({ ...fresh, archive: archive.slice(0, length), passphrase, isReplacing: true }),
      (error) => error instanceof ArchiveError && error.code === 'malformed',
      `${length} characters`,
    );
  await assert.rejects(readdir(fresh.folders.data), { code: 'ENOENT' });
});

test('another identity is not replaced unless told, and then kept with its friends', async () => {
  await using folder = await temporaryFolder();
  const me = await person(folder.path, 'me', 'me@example.com');
  const archive = await exportFromFolder(me.surroundings, passphrase);
  const other = await person(folder.path, 'other', 'other@example.com');
  addFriend(other.home, await testIdentity('of-other@example.com'));

  await assert.rejects(
    importArchive({ ...other.surroundings, archive, passphrase, isReplacing: false }),
    (error) => error instanceof IdentityError && error.code === 'exists',
  );
  assert.equal((await loadIdentity(join(other.home, 'identity'))).claims.fingerprint, other.fingerprint);

  const { backupFolder = '' } = await takeOver(other.surroundings, archive, { isReplacing: true });
  assert.equal((await loadIdentity(join(other.home, 'identity'))).claims.fingerprint, me.fingerprint);
  assert.equal((await loadIdentity(backupFolder)).claims.fingerprint, other.fingerprint);
  assert.match(await readFile(join(backupFolder, 'friends.json'), 'utf8'), /of-other@example\.com/);
  // They may visit the other's house, not the new owner's.
  assert.deepEqual(friendsIn(other.home), []);
  if (process.platform !== 'win32') {
    assert.equal((await stat(backupFolder)).mode & 0o777, 0o700);
    assert.equal((await stat(join(backupFolder, 'client.key'))).mode & 0o777, 0o600);
  }
});

test('the settings follow the e-mail of the archive', async () => {
  await using folder = await temporaryFolder();
  const me = await person(folder.path, 'me', 'me@example.com');
  const archive = await exportFromFolder(me.surroundings, passphrase);
  const other = await person(folder.path, 'other', 'other@example.com');
  await takeOver(other.surroundings, archive, { isReplacing: true });
  const config: unknown = JSON.parse(await readFile(join(other.home, 'config.json'), 'utf8'));
  assert.deepEqual(config, { email: 'me@example.com' });
});

test('importing the same again is no replacement, and friends that are there stay as they are', async () => {
  await using folder = await temporaryFolder();
  const me = await person(folder.path, 'me', 'me@example.com');
  addFriend(me.home, await testIdentity('friend@example.com'));
  const archive = await exportFromFolder(me.surroundings, passphrase);
  const result = await takeOver(me.surroundings, archive);
  assert.deepEqual([result.friendsImported, result.friendsKept, result.backupFolder], [0, 1, undefined]);
});

test('a damaged identity is replaced only when told, and kept', async () => {
  await using folder = await temporaryFolder();
  const me = await person(folder.path, 'me', 'me@example.com');
  const archive = await exportFromFolder(me.surroundings, passphrase);
  await writeFile(join(me.home, 'identity', 'client.crt'), 'no certificate');
  await assert.rejects(takeOver(me.surroundings, archive), /damaged identity/);
  const { backupFolder = '' } = await takeOver(me.surroundings, archive, { isReplacing: true });
  assert.equal(await readFile(join(backupFolder, 'client.crt'), 'utf8'), 'no certificate');
  assert.equal((await loadIdentity(join(me.home, 'identity'))).claims.fingerprint, me.fingerprint);
});

test('while the daemon has the data folder, nothing is imported', async () => {
  await using folder = await temporaryFolder();
  const me = await person(folder.path, 'me', 'me@example.com');
  const archive = await exportFromFolder(me.surroundings, passphrase);
  const other = await person(folder.path, 'other', 'other@example.com');
  using _daemon = StateStore.open(other.home);
  await assert.rejects(takeOver(other.surroundings, archive, { isReplacing: true }), { code: 'in_use' });
  assert.equal((await loadIdentity(join(other.home, 'identity'))).claims.fingerprint, other.fingerprint);
});

test('a short passphrase is refused', async () => {
  const identity = await testIdentity('me@example.com');
  await assert.rejects(
    exportArchive(identity, [], 'too short'),
    (error) => error instanceof ArchiveError && error.code === 'weak-passphrase',
  );
});

test('friends who do not fit are a failed export, never an archive that cannot be read', async () => {
  const identity = await testIdentity('me@example.com');
  const { fingerprint, publicKeyHash } = identity.claims;
  const friends = Array.from({ length: 4000 }, (_, index) => ({
    email: `friend-${index}@example.com`,
    fingerprint,
    publicKeyHash,
    origin: 'relay' as const,
    pinnedAtMs: 0,
  }));
  await assert.rejects(exportArchive(identity, friends, passphrase), /Cannot export 4000 friends/);
});

function surroundingsOf(home: string): TransferSurroundings {
  return { folders: dataFolders({ FLASHBACK_HOME: home }), environment: {}, currentDirectory: home };
}

async function person(
  folder: string,
  name: string,
  email: string,
): Promise<{ home: string; surroundings: TransferSurroundings; fingerprint: string }> {
  const home = join(folder, name);
  const surroundings = surroundingsOf(home);
  const { fingerprint } = await initialise({ ...surroundings, choices: { email } });
  return { home, surroundings, fingerprint };
}

function addFriend(home: string, friend: Awaited<ReturnType<typeof testIdentity>>): void {
  using state = StateStore.open(home);
  state.peers.pin(friend.claims.email, pinOf(friend.claims), 'user', 1000);
  state.peers.makeFriend(friend.claims.email, 1000);
}

function friendsIn(home: string): ReturnType<StateStore['peers']['friends']> {
  using state = StateStore.open(home);
  return state.peers.friends();
}

function takeOver(
  surroundings: TransferSurroundings,
  archive: string,
  { isReplacing }: { isReplacing: boolean } = { isReplacing: false },
): Promise<Imported> {
  return importArchive({ ...surroundings, archive, passphrase, isReplacing });
}
