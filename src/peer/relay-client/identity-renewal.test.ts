import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import pino from 'pino';
import { createIdentity } from '../../identity/create-identity.ts';
import { type Identity, loadIdentity, saveIdentity } from '../../identity/key-store.ts';
import { runRelay } from '../../relay/run-relay.ts';
import { ManualClock } from '../../util/testing/manual-clock.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { formatRelayUrl, parseRelayUrl } from '../../wire/relay-url.ts';
import { IdentityRenewal } from './identity-renewal.ts';
import { RelayClient } from './relay-client.ts';

const dayMs = 86_400_000;
const log = pino({ level: 'silent' });

/** A registered identity whose certificate ends after `validDays`, and everything around it. */
async function world(validDays: number) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const identityFolder = `${folder.path}/identity`;
  const parts = await createIdentity('ann@example.com', { validityMs: validDays * dayMs });
  const identity = await saveIdentity(identityFolder, parts);
  const relay = stack.use(await runRelay({ port: 0, host: '127.0.0.1', dataFolder: `${folder.path}/relay` }));
  const url = parseRelayUrl(formatRelayUrl(`https://127.0.0.1:${relay.port}`, relay.fingerprint));
  const client = stack.use(new RelayClient({ url, identity }));
  await client.register();
  const clock = new ManualClock(Date.now());
  return {
    identity,
    client,
    relay,
    clock,
    saved: () => loadIdentity(identityFolder),
    start: (from: Identity = identity) =>
      stack.use(new IdentityRenewal({ identity: from, folder: identityFolder, relay: client, log, clock })),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test('a certificate that ends within sixty days is renewed at once: registered, saved, shown', async () => {
  await using there = await world(30);
  const renewal = there.start();
  const [renewed] = (await once(renewal, 'identityRenewed')) as [Identity];
  assert.equal(renewal.current, renewed);
  assert.equal(renewed.claims.publicKeyHash, there.identity.claims.publicKeyHash);
  assert.notEqual(renewed.claims.fingerprint, there.identity.claims.fingerprint);
  assert.deepEqual((await there.saved()).claims, renewed.claims);
  assert.equal(there.client.identity, renewed);
  const registered = await there.client.certificates('ann@example.com');
  assert.ok(registered.some(({ fingerprint }) => fingerprint === renewed.claims.fingerprint));
});

test('a certificate with time left is looked at daily, and renewed when its time has come', async () => {
  await using there = await world(60.5);
  const renewal = there.start();
  await there.clock.timerSet((delayMs) => delayMs === dayMs);
  assert.equal(renewal.current, there.identity);
  const renewed = once(renewal, 'identityRenewed');
  there.clock.advance(dayMs);
  await renewed;
  assert.notEqual(renewal.current.claims.fingerprint, there.identity.claims.fingerprint);
});

test('while the relay is away the old certificate stays, and an hour later it is tried again', async () => {
  await using there = await world(30);
  await there.relay[Symbol.asyncDispose]();
  const renewal = there.start();
  await there.clock.timerSet((delayMs) => delayMs === 3_600_000);
  assert.equal(renewal.current, there.identity);
  assert.deepEqual((await there.saved()).claims, there.identity.claims);
});

test('a certificate that has ended is renewed even when the relay will not hear of it', async () => {
  await using there = await world(30);
  await there.relay[Symbol.asyncDispose]();
  there.clock.jumpWall(31 * dayMs);
  const renewal = there.start();
  await once(renewal, 'identityRenewed');
  assert.equal((await there.saved()).claims.fingerprint, renewal.current.claims.fingerprint);
});

test('the end does not wait for the next day', async () => {
  await using there = await world(700);
  const renewal = there.start();
  await there.clock.timerSet((delayMs) => delayMs === dayMs);
  await renewal[Symbol.asyncDispose]();
  assert.deepEqual(there.clock.delaysMs, []);
});
