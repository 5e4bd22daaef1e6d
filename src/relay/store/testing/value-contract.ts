import assert from 'node:assert/strict';
import type { Announce } from '../store.ts';
import { makeBroadcast, makeCertificate, makeRegistration, testNowMs } from './records.ts';
import { loadClient, type StoreContract, withCode } from './store-fixture.ts';

/** What has upset databases, and what a careless layer in between would change. */
const hostileTexts = [
  `'; DROP TABLE clients; --`,
  `" OR ""="`,
  `\\'; DELETE FROM broadcasts; --`,
  `$1, ?, :name, @name, %s, {0}`,
  `{"json": ["in", 'text'], null, NULL}`,
  `{a,"b\\"c",NULL}`,
  `\\x00\\u0000\\n`,
  `line\nbreak\r\n\ttab\u0001\u001f\u007f`,
  `Zażółć gęślą jaźń, 日本語, العربية`,
  `e\u0301 against \u00e9, \ufb01 ligature, \u202eright to left`,
  `\u{1f600}\u{1f468}\u200d\u{1f469}\u200d\u{1f467}\u{10ffff}\ufeff\ufffd`,
  '',
  ' leading and trailing ',
  'x'.repeat(100_000),
] as const;

/** PostgreSQL cannot keep the first in text; neither engine can keep the others in UTF-8. */
const impossibleTexts = ['nul\0inside', '\ud800', 'half \udc00 pair'] as const;

export const valueContract: StoreContract = {
  'hostile and foreign text in any field is stored as it is': async (fixture) => {
    await using store = await fixture.open();
    await Promise.all(
      hostileTexts.map(async (text, index) => {
        const registration = makeRegistration({
          // Unique ones are needed here, and an index cannot hold a key of 100,000 characters in PostgreSQL.
          email: `${index}${text.slice(0, 254)}`,
          certificate: { ...makeCertificate(), pem: text },
        });
        const { clientId, email, certificate } = registration;
        const broadcast = makeBroadcast(clientId, {
          addresses: [text, text],
          observedAddress: text,
          announce: text as Announce,
          visibleTo: [text, ...hostileTexts.slice(0, index)],
          capabilities: [...hostileTexts.slice(0, index), text],
        });
        assert.equal((await store.registerClient(registration)).kind, 'registered');
        await store.putBroadcast(broadcast);
        assert.equal((await store.registerClient(makeRegistration({ email }))).kind, 'email-taken');

        assert.deepEqual(await loadClient(store, clientId), {
          client: { clientId, email, createdAtMs: testNowMs },
          certificates: [{ ...certificate, clientId, addedAtMs: testNowMs }],
          broadcast,
        });
      }),
    );
  },

  'text that one of the engines cannot keep is refused, in any field, and alone': async (fixture) => {
    await using store = await fixture.open();
    const registration = makeRegistration();
    const { clientId } = registration;
    await store.registerClient(registration);
    const fine = makeBroadcast(clientId);

    const calls = impossibleTexts.flatMap((text) => [
      store.registerClient(makeRegistration({ email: text })),
      store.registerClient(makeRegistration({ clientId: text })),
      store.registerClient(makeRegistration({ certificate: { ...makeCertificate(), pem: text } })),
      store.addCertificate({ clientId, certificate: { ...makeCertificate(), fingerprint: text }, nowMs: 0 }),
      store.putBroadcast(makeBroadcast(clientId, { broadcastId: text })),
      store.putBroadcast(makeBroadcast(clientId, { observedAddress: text })),
      store.putBroadcast(makeBroadcast(clientId, { addresses: ['::1', text] })),
      store.putBroadcast(makeBroadcast(clientId, { visibleTo: [text] })),
      store.putBroadcast(makeBroadcast(clientId, { capabilities: [text] })),
      store.putBroadcast(makeBroadcast(clientId, { announce: text as Announce })),
      store.deleteBroadcast(text),
    ]);
    const [settled] = await Promise.all([Promise.allSettled(calls), store.putBroadcast(fine)]);

    for (const result of settled) {
      assert.equal(result.status, 'rejected');
      withCode('store_bad_value')(result.reason);
    }
    const stored = await loadClient(store, clientId);
    assert.deepEqual(stored.broadcast, fine);
    assert.equal(stored.certificates.length, 1);
  },

  'a number that is none is refused, and the writes beside it are kept': async (fixture) => {
    await using store = await fixture.open();
    const [good, bad] = [makeRegistration(), makeRegistration()];
    await Promise.all([store.registerClient(good), store.registerClient(bad)]);
    const broadcast = makeBroadcast(good.clientId);

    const [refused, kept] = await Promise.allSettled([
      store.putBroadcast(makeBroadcast(bad.clientId, { expiresAtMs: Number.NaN })),
      store.putBroadcast(broadcast),
    ]);

    assert.equal(refused.status === 'rejected' && withCode('store_bad_value')(refused.reason), true);
    assert.equal(kept.status, 'fulfilled');
    assert.deepEqual((await loadClient(store, good.clientId)).broadcast, broadcast);
    assert.equal((await loadClient(store, bad.clientId)).broadcast, undefined);
  },
};
