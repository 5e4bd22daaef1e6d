import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoredClient } from '../store/store.ts';
import { makeBroadcast, makeRegistration, testNowMs } from '../store/testing/records.ts';
import { type Account, Directory } from './directory.ts';

function stored(email: string, overrides: Parameters<typeof makeBroadcast>[1] = {}): StoredClient {
  const { clientId, certificate } = makeRegistration({ email });
  return {
    client: { clientId, email, createdAtMs: testNowMs },
    certificates: [{ ...certificate, clientId, addedAtMs: testNowMs }],
    broadcast: makeBroadcast(clientId, overrides),
  };
}

async function loaded(...pages: readonly (readonly StoredClient[])[]): Promise<Directory> {
  const directory = new Directory();
  await directory.load(
    (async function* () {
      yield* pages;
    })(),
  );
  return directory;
}

function listed(directory: Directory): string[] {
  return directory.listedAfter('', 1000, () => true).map(({ email }) => email);
}

function accountOf(directory: Directory, email: string): Account {
  const account = directory.accountByEmail(email);
  assert.ok(account);
  return account;
}

test('what was stored is listed in the order of e-mails, whatever the order of pages', async () => {
  const emails = Array.from({ length: 500 }, (_, index) => `${(index * 7919) % 500}@b`);
  const clients = emails.map((email) => stored(email));
  const directory = await loaded(clients.slice(0, 200), [], clients.slice(200));
  assert.deepEqual(listed(directory), [...emails].sort());
  assert.deepEqual([directory.accountCount, directory.listedCount], [500, 500]);
});

test('a broadcast for nobody is kept and not listed, and listed when it changes', async () => {
  const directory = await loaded([stored('a@b'), stored('m@b', { announce: 'none' }), stored('z@b')]);
  assert.deepEqual(listed(directory), ['a@b', 'z@b']);
  const account = accountOf(directory, 'm@b');
  assert.equal(account.live?.record.announce, 'none');
  for (const [announce, expected] of [
    ['all', ['a@b', 'm@b', 'z@b']],
    ['friends', ['a@b', 'm@b', 'z@b']],
    ['none', ['a@b', 'z@b']],
    ['none', ['a@b', 'z@b']],
  ] as const) {
    directory.putBroadcast(account, makeBroadcast(account.clientId, { announce }), undefined);
    assert.deepEqual(listed(directory), expected, announce);
  }
});

test('a broadcast that took the place of an expired one survives its removal', async () => {
  const [renewed, gone] = [stored('renewed@b'), stored('gone@b')];
  const directory = await loaded([renewed, gone, stored('other@b')]);
  const account = accountOf(directory, 'renewed@b');
  const expired = [renewed, gone].map(({ client, broadcast }) => ({
    clientId: client.clientId,
    broadcastId: broadcast?.broadcastId ?? '',
  }));
  directory.putBroadcast(account, makeBroadcast(account.clientId), undefined);
  directory.removeExpired([...expired, { clientId: 'nobody', broadcastId: 'none' }]);
  assert.deepEqual(listed(directory), ['other@b', 'renewed@b']);
  assert.equal(accountOf(directory, 'gone@b').live, undefined);
});

test('withdrawing takes out one, and what is not there takes out nothing', async () => {
  const directory = await loaded([stored('a@b'), stored('b@b', { announce: 'none' }), stored('c@b')]);
  directory.removeBroadcast(accountOf(directory, 'b@b').clientId);
  directory.removeBroadcast('nobody');
  assert.deepEqual(listed(directory), ['a@b', 'c@b']);
  for (let time = 0; time < 2; time += 1) directory.removeBroadcast(accountOf(directory, 'a@b').clientId);
  assert.deepEqual(listed(directory), ['c@b']);
});
