import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createIdentity } from '../../identity/create-identity.ts';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { CertificateResponseSchema, RegisterResponseSchema, relayPaths } from '../../wire/relay-http.ts';
import { type Answer, TestRelay } from '../testing/relay-fixture.ts';
import { certificatesPerAccountMax } from './tracker.ts';

const clientIdOf = (answer: Answer): string => {
  assert.equal(answer.status, 200, answer.text);
  return RegisterResponseSchema.parse(answer.json()).client_id;
};
const errorOf = (answer: Answer): readonly [number, unknown] => [answer.status, answer.json()];

function certificatesOf(answer: Answer): string[] {
  assert.equal(answer.status, 200, answer.text);
  const { certificates } = CertificateResponseSchema.parse(answer.json());
  return certificates.map(({ fingerprint }) => fingerprint);
}

describe('registering', () => {
  test('gives the same client id at each start, whatever the case of the e-mail', async () => {
    await using relay = await TestRelay.start();
    const me = await createIdentity('me@example.com');
    const first = clientIdOf(await relay.register(me, 'me@example.com'));
    assert.equal(clientIdOf(await relay.register(me, 'me@example.com')), first);
    assert.equal(clientIdOf(await relay.register(me, 'Me@EXAMPLE.com')), first);
    assert.equal(clientIdOf(await relay.register(me, 'me@example.com', me)), first);
    await relay.restart();
    assert.equal(clientIdOf(await relay.register(me, 'me@example.com')), first);
  });

  test('takes a certificate whose CN is in upper case, and JSON whatever it is called', async () => {
    await using relay = await TestRelay.start();
    const shouting = await createIdentity('ME@EXAMPLE.COM');
    const body = { email: 'me@example.com', certificate: shouting.certificatePem, colour: 'blue' };
    const headers = { 'content-type': 'text/plain' };
    const answer = await relay.ask(undefined, relayPaths.register, { method: 'POST', body, headers });
    assert.match(clientIdOf(answer), /^[0-9a-f-]{36}$/);
    assert.equal((await relay.lookup(shouting, 'me@example.com')).status, 404);
  });

  test('takes the longest e-mail there is, and the fullest certificate text', async () => {
    await using relay = await TestRelay.start();
    const email = `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
    const me = await createIdentity(email);
    const certificate = `${me.certificatePem}${' '.repeat(8192 - me.certificatePem.length)}`;
    const body = { email, certificate };
    clientIdOf(await relay.ask(undefined, relayPaths.register, { method: 'POST', body }));
    assert.equal((await relay.ready(me, { port: 1, addresses: [] })).status, 200);
    assert.equal((await relay.lookup(me, email)).status, 200);
  });

  test('of many at once for one e-mail lets one through', async () => {
    await using relay = await TestRelay.start();
    const rivals = await Promise.all(Array.from({ length: 12 }, () => createIdentity('me@example.com')));
    const answers = await Promise.all(rivals.map((rival) => relay.register(rival, 'me@example.com')));
    assert.equal(answers.filter(({ status }) => status === 409).length, 11);
    const winner = rivals[answers.findIndex(({ status }) => status === 200)];
    assert.ok(winner);
    assert.equal((await relay.ready(winner, { port: 1, addresses: [] })).status, 200);
  });

  test('many times at once with one certificate gives one client id', async () => {
    await using relay = await TestRelay.start();
    const me = await createIdentity('me@example.com');
    const answers = await Promise.all(Array.from({ length: 12 }, () => relay.register(me, 'me@example.com')));
    assert.equal(new Set(answers.map(clientIdOf)).size, 1);
  });

  test('is not undone by an attempt of somebody else', async () => {
    await using relay = await TestRelay.start();
    const me = await testIdentity('me@example.com');
    const impostor = await testIdentity('me@example.com');
    await relay.register(me, 'me@example.com');
    assert.equal((await relay.register(impostor, 'me@example.com', impostor)).status, 409);
    assert.equal((await relay.ready(impostor, { port: 1, addresses: [] })).status, 401);
    const path = `${relayPaths.certificate}?email=me@example.com`;
    assert.deepEqual(certificatesOf(await relay.ask(me, path)), [me.claims.fingerprint]);
  });
});

describe('a further certificate of an account', () => {
  test('joins over a connection that proves one it has, and speaks for the account from then on', async () => {
    await using relay = await TestRelay.start();
    const [phone, laptop] = [await testIdentity('me@example.com'), await testIdentity('me@example.com')];
    const clientId = clientIdOf(await relay.register(phone, 'me@example.com'));
    assert.equal((await relay.register(laptop, 'me@example.com', laptop)).status, 409);
    assert.equal(clientIdOf(await relay.register(laptop, 'me@example.com', phone)), clientId);
    for (const device of [phone, laptop]) {
      assert.equal((await relay.ready(device, { port: 1, addresses: [] })).status, 200);
      const path = `${relayPaths.certificate}?email=ME@example.com`;
      const listed = certificatesOf(await relay.ask(device, path));
      assert.deepEqual(listed.sort(), [phone, laptop].map(({ claims }) => claims.fingerprint).sort());
    }
    await relay.restart();
    assert.equal(clientIdOf(await relay.register(laptop, 'me@example.com')), clientId);
  });

  test('is read back as the certificate that was registered', async () => {
    await using relay = await TestRelay.start();
    const me = await testIdentity('me@example.com');
    await relay.register(me, 'me@example.com');
    const answer = await relay.ask(me, `${relayPaths.certificate}?email=me@example.com`);
    assert.deepEqual(answer.json(), {
      email: 'me@example.com',
      certificates: [{ certificate: me.claims.pem, fingerprint: me.claims.fingerprint }],
    });
  });

  test('does not join for another account, nor for an expired one', async () => {
    let nowMs = Date.now();
    await using relay = await TestRelay.start({ nowMs: () => nowMs });
    const ann = await createIdentity('ann@example.com');
    const old = await createIdentity('me@example.com', { validityMs: 3_600_000 });
    const fresh = await createIdentity('me@example.com');
    await relay.register(ann, 'ann@example.com');
    await relay.register(old, 'me@example.com');
    assert.equal((await relay.register(fresh, 'me@example.com', ann)).status, 409);
    nowMs += 7_200_000;
    assert.equal((await relay.register(fresh, 'me@example.com', old)).status, 409);
  });

  test(`is refused beyond ${certificatesPerAccountMax}, also when many ask at once`, async () => {
    await using relay = await TestRelay.start();
    const me = await testIdentity('me@example.com');
    await relay.register(me, 'me@example.com');
    const devices = await Promise.all(Array.from({ length: 24 }, () => createIdentity('me@example.com', me)));
    const answers = await Promise.all(devices.map((device) => relay.register(device, 'me@example.com', me)));
    const refused = answers.filter(({ status }) => status !== 200);
    assert.equal(refused.length, devices.length - (certificatesPerAccountMax - 1));
    for (const answer of refused)
      assert.deepEqual(errorOf(answer), [
        409,
        { error: 'this account has as many certificates as it may have' },
      ]);
    const path = `${relayPaths.certificate}?email=me@example.com`;
    assert.equal(certificatesOf(await relay.ask(me, path)).length, certificatesPerAccountMax);
  });
});

test('certificates are read by registered clients, announced or not, and of the e-mail asked for first', async () => {
  await using relay = await TestRelay.start();
  const [me, ann] = [await testIdentity('me@example.com'), await testIdentity('ann+x@example.com')];
  await relay.register(me, 'me@example.com');
  await relay.register(ann, 'ann+x@example.com');
  for (const query of [
    'email=ann%2Bx@example.com',
    'email=ann+x@example.com',
    'a=b&email=ANN%2bx@example.com',
  ])
    assert.deepEqual(certificatesOf(await relay.ask(me, `${relayPaths.certificate}?${query}`)), [
      ann.claims.fingerprint,
    ]);
  const twice = `${relayPaths.certificate}?email=me@example.com&email=ann%2Bx@example.com`;
  assert.deepEqual(certificatesOf(await relay.ask(me, twice)), [me.claims.fingerprint]);
});
