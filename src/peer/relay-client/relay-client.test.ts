import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { readCertificate } from '../../identity/certificate.ts';
import { createServerCertificate } from '../../identity/create-identity.ts';
import type { Identity } from '../../identity/key-store.ts';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { runRelay } from '../../relay/run-relay.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { formatRelayUrl, parseRelayUrl } from '../../wire/relay-url.ts';
import { answerJson, httpsServer } from '../testing/https-server.ts';
import { pretendRelay } from '../testing/test-relay.ts';
import { RelayClient } from './relay-client.ts';
import { RelayError } from './relay-error.ts';

const failsWith = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RelayError, String(error));
  assert.match(error.message, message);
  assert.equal(error.code, code);
  return true;
};

async function startRelay() {
  const folder = await temporaryFolder();
  const relay = await runRelay({ port: 0, host: '127.0.0.1', dataFolder: folder.path });
  return {
    url: parseRelayUrl(formatRelayUrl(`https://127.0.0.1:${relay.port}`, relay.fingerprint)),
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test('two people register, announce, find each other, and withdraw', async () => {
  await using relay = await startRelay();
  const [ann, bob] = await Promise.all([testIdentity('ann@example.com'), testIdentity('bob@example.com')]);
  using annClient = new RelayClient({ url: relay.url, identity: ann });
  using bobClient = new RelayClient({ url: relay.url, identity: bob });
  const { clientId } = await annClient.register();
  await bobClient.register();
  assert.deepEqual(await annClient.register(), { clientId });

  assert.deepEqual(await annClient.list(), []);
  await assert.rejects(
    annClient.lookup('bob@example.com'),
    failsWith('not_found', /no such peer is announced/),
  );
  const { expiresInMs } = await bobClient.ready({ port: 4711, addresses: ['192.168.1.5', 'fe80::1'] });
  assert.equal(expiresInMs, 3_600_000);
  const found = await annClient.lookup('bob@example.com');
  assert.deepEqual(
    { email: found.email, port: found.port, addresses: found.addresses, observed: found.observed_address },
    { email: 'bob@example.com', port: 4711, addresses: ['192.168.1.5', 'fe80::1'], observed: '127.0.0.1' },
  );
  assert.deepEqual(await annClient.list(), [found]);
  assert.deepEqual(await annClient.certificates('bob@example.com'), [bob.claims]);
  assert.ok(Math.abs(annClient.clockOffsetMs ?? Number.NaN) < 5000);

  await bobClient.withdraw();
  assert.deepEqual(await annClient.list(), []);
});

test('a renewed certificate joins the account when it is registered with the old one as proof', async () => {
  await using relay = await startRelay();
  const ann = await testIdentity('ann@example.com');
  const renewed = await testIdentity('ann@example.com', ann);
  using client = new RelayClient({ url: relay.url, identity: ann });
  const { clientId } = await client.register();
  assert.deepEqual(await client.register(renewed.certificatePem), { clientId });
  client.useIdentity(renewed);
  await client.ready({ port: 4711, addresses: [] });
  assert.deepEqual(
    (await client.certificates('ann@example.com')).map(({ fingerprint }) => fingerprint).sort(),
    [ann.claims.fingerprint, renewed.claims.fingerprint].sort(),
  );
});

test('an e-mail that belongs to another key is refused, a certificate that is not registered is told so', async () => {
  await using relay = await startRelay();
  using first = new RelayClient({ url: relay.url, identity: await testIdentity('ann@example.com') });
  using second = new RelayClient({ url: relay.url, identity: await testIdentity('ann@example.com') });
  await first.register();
  await assert.rejects(second.register(), failsWith('refused', /refuses register: /));
  await assert.rejects(
    second.ready({ port: 1, addresses: [] }),
    failsWith('unregistered', /does not know us/),
  );
  await assert.rejects(first.certificates('nobody@example.com'), failsWith('not_found', /./));
});

test('a relay that does not know us is told who we are, and asked again', async () => {
  await using relay = await startRelay();
  using client = new RelayClient({ url: relay.url, identity: await testIdentity('ann@example.com') });
  assert.deepEqual(await client.list(), []);
});

test('a relay that will not know us is not registered at over and over', async () => {
  const ann = await testIdentity('ann@example.com');
  await using pretended = await pretendRelay(ann, (request, response) => {
    const answer =
      request.method === 'POST'
        ? answerJson(200, { client_id: randomUUID() })
        : answerJson(401, { error: 'the client certificate is not registered' });
    answer(request, response);
  });
  for (let n = 0; n < 2; n += 1)
    await assert.rejects(pretended.client.list(), failsWith('unregistered', /does not know us/));
  const list = 'GET /api/relay/broadcast/list?limit=1000';
  assert.deepEqual(pretended.server.requests, [list, 'POST /api/relay/register', list, list]);
});

test('an impostor at the address of the relay gets no request', async () => {
  await using relay = await startRelay();
  const ann = await testIdentity('ann@example.com');
  await using impostor = await httpsServer(await createServerCertificate(['localhost']), answerJson(200, {}));
  const url = { ...relay.url, port: impostor.port, origin: `https://127.0.0.1:${impostor.port}` };
  using client = new RelayClient({ url, identity: ann });
  await assert.rejects(client.register(), failsWith('identity_mismatch', /Somebody else answers at https:/));
  await assert.rejects(client.list(), failsWith('identity_mismatch', /Nothing was sent/));
  assert.deepEqual(impostor.requests, []);
});

test('a self-signed relay without its fingerprint in the URL is not trusted, and the message says what is missing', async () => {
  await using relay = await startRelay();
  const { fingerprint: _, ...url } = relay.url;
  using client = new RelayClient({ url, identity: await testIdentity('ann@example.com') });
  await assert.rejects(
    client.register(),
    failsWith('identity_mismatch', /with #sha256=\.\.\., which it prints at start/),
  );
});

test('a relay that is not there, and one that does not answer, are unreachable', async () => {
  const ann = await testIdentity('ann@example.com');
  const silent = createServer((socket) => socket.resume());
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const url = parseRelayUrl(`https://127.0.0.1:${port}`);
  {
    using client = new RelayClient({ url, identity: ann });
    await assert.rejects(client.list({ deadlineMs: 50 }), failsWith('unreachable', /no answer in time/));
    const controller = new AbortController();
    const pending = client.list({ signal: controller.signal });
    controller.abort(new Error('enough'));
    await assert.rejects(pending, /^Error: enough$/);
  }
  const closed = once(silent, 'close');
  silent.close();
  await closed;
  using client = new RelayClient({ url, identity: ann });
  await assert.rejects(client.list(), failsWith('unreachable', /nothing listens there/));
});

test('what a server answers that is no relay, or a relay in trouble, becomes an error to act upon', async (t) => {
  const ann = await testIdentity('ann@example.com');
  const cases: readonly (readonly [name: string, answer: RequestListener, code: string, message: RegExp])[] =
    [
      [
        '429 with Retry-After',
        answerJson(429, { error: 'too many' }, { 'retry-after': '7' }),
        'rate_limited',
        /too many/,
      ],
      [
        '503',
        answerJson(503, { error: 'the relay is busy' }),
        'unreachable',
        /cannot serve now: the relay is busy/,
      ],
      ['a page', (_request, response) => response.end('<html>'), 'protocol', /not answered with JSON/],
      ['404 of a web server', (_q, r) => r.writeHead(404).end('<h1>404</h1>'), 'protocol', /HTTP 404/],
      ['a redirect', (_q, r) => r.writeHead(302, { location: '/' }).end(), 'protocol', /HTTP 302/],
      ['JSON of another shape', answerJson(200, { client_id: 7 }), 'protocol', /client_id/],
      ['a hostile sentence', answerJson(403, { error: 'a\u001b[2Jb' }), 'refused', /a\\u\{1b\}\[2Jb$/],
      [
        'an endless answer',
        (_q, r) => void r.write('x'.repeat(1024 * 1024)),
        'unreachable',
        /longer than 262144 bytes/,
      ],
    ];
  for (const [name, answer, code, message] of cases)
    await t.test(name, async () => {
      await using pretended = await pretendRelay(ann, answer);
      await assert.rejects(pretended.client.register(), failsWith(code, message));
    });
  await using pretended = await pretendRelay(ann, cases[0]?.[1] ?? assert.fail());
  const error: unknown = await pretended.client.register().catch((thrown: unknown) => thrown);
  assert.equal(error instanceof RelayError && error.retryAfterMs, 7000);
});

test('certificates that do not carry the e-mail asked for are no certificates of it', async () => {
  const [ann, bob, eve] = await Promise.all(
    ['ann@example.com', 'bob@example.com', 'eve@example.com'].map((email) => testIdentity(email)),
  );
  assert.ok(ann && bob && eve);
  const body = (...identities: Identity[]) => ({
    email: 'bob@example.com',
    certificates: identities.map(({ certificatePem }) => ({
      certificate: certificatePem,
      fingerprint: bob.claims.fingerprint,
    })),
  });
  let answer = body(eve);
  await using pretended = await pretendRelay(ann, (request, response) =>
    answerJson(200, answer)(request, response),
  );
  await assert.rejects(
    pretended.client.certificates('bob@example.com'),
    failsWith('protocol', /none of them carries/),
  );
  answer = body(eve, bob);
  assert.deepEqual(await pretended.client.certificates('bob@example.com'), [
    readCertificate(bob.certificatePem),
  ]);
});

test('a list goes through all its pages, and a relay that never ends one is not followed for ever', async () => {
  const ann = await testIdentity('ann@example.com');
  const peer = (n: number) => ({
    email: `p${n}@example.com`,
    port: 1,
    addresses: [],
    observed_address: '',
    capabilities: [],
    last_seen: '2026-01-01T00:00:00Z',
  });
  let pages = 0;
  let pagesMax = 3;
  await using pretended = await pretendRelay(ann, (request, response) => {
    pages += 1;
    const link = `<${(request.url ?? '').split('?')[0]}?limit=1&after=p${pages}%40example.com>; rel="next"`;
    answerJson(200, [peer(pages)], pages < pagesMax ? { link } : {})(request, response);
  });
  assert.deepEqual(
    (await pretended.client.list()).map(({ email }) => email),
    ['p1@example.com', 'p2@example.com', 'p3@example.com'],
  );
  pages = 0;
  pagesMax = Number.POSITIVE_INFINITY;
  assert.equal((await pretended.client.list()).length, 100);
});

test('a kept connection that died is replaced, and the call made again', async () => {
  const ann = await testIdentity('ann@example.com');
  await using pretended = await pretendRelay(ann, (request, response) => {
    if (pretended.server.requests.length === 2) request.socket.destroy();
    else answerJson(200, [])(request, response);
  });
  await pretended.client.list();
  await pretended.client.list();
  assert.equal(pretended.server.requests.length, 3);
  assert.equal(pretended.server.connections, 2);
});

test('calls under way survive a change of identity', async () => {
  const ann = await testIdentity('ann@example.com');
  const renewed = await testIdentity('ann@example.com', ann);
  await using pretended = await pretendRelay(ann, (request, response) => {
    if (pretended.server.requests.length === 1) pretended.client.useIdentity(renewed);
    else answerJson(200, [])(request, response);
  });
  assert.deepEqual(await pretended.client.list(), []);
  assert.equal(pretended.server.connections, 2);
});
