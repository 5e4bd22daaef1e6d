import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect as connectTcp, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { connectPinned } from '../identity/connect-pinned.ts';
import { createServerCertificate, type KeyAndCertificate } from '../identity/create-identity.ts';
import { fingerprintOf } from '../identity/fingerprint.ts';
import { testAuthority } from '../identity/testing/certificate-authority.ts';
import { testIdentity } from '../identity/testing/test-identity.ts';
import { closed } from '../util/testing/closed.ts';
import { temporaryFolder } from '../util/testing/temporary-folder.ts';
import { relayPaths } from '../wire/relay-http.ts';
import { parseRelayUrl } from '../wire/relay-url.ts';
import { drainTimeoutMs, runRelay } from './run-relay.ts';
import { openStore } from './store/open-store.ts';
import { silentLog } from './store/testing/silent-log.ts';
import { readAll, TestRelay } from './testing/relay-fixture.ts';

const host = '127.0.0.1';
const place = { port: 4711, addresses: ['10.0.0.1'], capabilities: ['link/1'] };

/** Connects as a client that has nothing but the relay's URL. */
async function reach(url: string): Promise<void> {
  const { host: at, port, fingerprint } = parseRelayUrl(url);
  assert.ok(fingerprint !== undefined);
  const socket = await connectPinned({
    host: at,
    port,
    expected: { kind: 'pinned', fingerprints: [fingerprint] },
  });
  socket.destroy();
}

async function shownBy(relay: TestRelay): Promise<string> {
  const socket = await relay.connect();
  const certificate = socket.getPeerX509Certificate();
  assert.ok(certificate);
  socket.destroy();
  return fingerprintOf(certificate);
}

describe('a relay', () => {
  test('is reached by the URL that it gives, and answers /health and /ready', async () => {
    await using relay = await TestRelay.start();
    assert.equal(relay.relay.url, `https://127.0.0.1:${relay.port}#sha256=${relay.relay.fingerprint}`);
    await reach(relay.relay.url);
    const health = (await relay.ask(undefined, '/health')).json() as Record<string, unknown>;
    assert.deepEqual(Object.keys(health), ['status', 'timestamp', 'uptime']);
    assert.equal(health['status'], 'ok');
    const ready = await relay.ask(undefined, '/ready');
    assert.deepEqual([ready.status, ready.json()], [200, { status: 'ok' }]);
  });

  test('gives the URL under the name that others reach it at', async () => {
    await using relay = await TestRelay.start({ publicHost: '2001:db8::1' });
    assert.match(relay.relay.url, /^https:\/\/\[2001:db8::1\]:\d+#sha256=[0-9a-f]{64}$/);
  });

  test('listens on IPv4 and IPv6 where the machine has both', async (context) => {
    await using folder = await temporaryFolder();
    await using relay = await runRelay({ port: 0, dataFolder: folder.path });
    for (const at of ['127.0.0.1', '::1']) {
      const socket = connectTcp(relay.port, at);
      const [outcome] = await Promise.race([
        once(socket, 'connect').then(() => ['connected']),
        once(socket, 'error').then(([error]) => [(error as NodeJS.ErrnoException).code]),
      ]);
      socket.destroy();
      if (at === '::1' && outcome !== 'connected') context.skip(`this machine has no IPv6: ${outcome}`);
      else assert.equal(outcome, 'connected', at);
    }
  });

  test('keeps everything over a restart: certificate, accounts, devices, broadcasts', async () => {
    await using relay = await TestRelay.start();
    const [me, laptop, ann] = await Promise.all(
      ['me@example.com', 'me@example.com', 'ann@example.com'].map((email) => testIdentity(email)),
    );
    assert.ok(me && laptop && ann);
    const first = await relay.register(me, 'me@example.com');
    await relay.register(laptop, 'me@example.com', me);
    await relay.register(ann, 'ann@example.com');
    await relay.ready(me, { ...place, announce: 'friends', friends: ['ann@example.com'] });
    const [found, listed] = [
      await relay.lookup(ann, 'me@example.com'),
      await relay.ask(ann, relayPaths.list),
    ];
    const { fingerprint } = relay.relay;
    await relay.restart();
    assert.equal(relay.relay.fingerprint, fingerprint);
    assert.deepEqual((await relay.lookup(ann, 'me@example.com')).json(), found.json());
    assert.equal((await relay.ask(ann, relayPaths.list)).text, listed.text);
    assert.equal((await relay.register(laptop, 'me@example.com')).text, first.text);
    assert.equal((await relay.ready(laptop, place)).status, 200);
  });

  test('makes its data folder, for its owner alone', { skip: process.platform === 'win32' }, async () => {
    await using folder = await temporaryFolder();
    const dataFolder = join(folder.path, 'a', 'relay');
    await using _relay = await runRelay({ port: 0, host, dataFolder });
    assert.equal((await stat(dataFolder)).mode & 0o777, 0o700);
    assert.deepEqual(
      (await readdir(dataFolder)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  test('says which port is in use, and leaves nothing running', async () => {
    const other = createServer().listen(0, host);
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await using folder = await temporaryFolder();
    await assert.rejects(runRelay({ port, host, dataFolder: folder.path }), {
      message: `Port ${port} is in use: stop what listens there, or choose another with --port`,
    });
    await assert.rejects(runRelay({ port: 0, httpPort: port, host, dataFolder: folder.path }), /is in use/);
    other.close();
    // The store was closed again: it can be opened.
    await using _relay = await runRelay({ port: 0, host, dataFolder: folder.path });
  });

  test('logs no e-mail, certificate or address of those who use it well', async () => {
    await using relay = await TestRelay.start();
    const me = await testIdentity('me@example.com');
    await relay.register(me, 'me@example.com');
    await relay.ready(me, place);
    await relay.lookup(me, 'me@example.com');
    assert.doesNotMatch(JSON.stringify(relay.logLines), /me@example|CERTIFICATE|10\.0\.0\.1/);
  });
});

describe('the plain listener', () => {
  test('serves on loopback what needs nobody, and nobody is anybody there', async () => {
    await using relay = await TestRelay.start({ httpPort: 0 });
    const port = relay.relay.httpPort;
    const ask = (path: string, method = 'GET', body?: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = { 'x-client-cert': 'anything', ...(body && { 'content-length': body.length }) };
        const outgoing = httpRequest({ host, port, path, method, headers, agent: false });
        outgoing.on('error', reject).on('response', (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        outgoing.end(body);
      });
    assert.equal(await ask('/health'), 200);
    assert.equal(await ask(`${relayPaths.lookup}?email=a@b`), 401);
    assert.equal(await ask(relayPaths.list), 401);
    assert.equal(await ask(relayPaths.ready, 'POST', '{}'), 401);
    assert.equal(await ask(relayPaths.ready, 'POST', 'no json'), 401);
    assert.equal(await ask(relayPaths.register, 'POST', '{}'), 400);
    assert.equal(await ask('/%zz'), 400);
  });
});

describe('a relay whose store is gone', () => {
  test('is not ready, takes nothing, says so, and goes on answering from memory', async () => {
    await using folder = await temporaryFolder();
    const store = await openStore({ log: silentLog, sqliteFile: join(folder.path, 'relay.sqlite') });
    await using relay = await TestRelay.start({ store });
    const me = await testIdentity('me@example.com');
    await relay.register(me, 'me@example.com');
    await relay.ready(me, place);
    await store[Symbol.asyncDispose]();

    const ready = await relay.ask(undefined, '/ready');
    assert.deepEqual([ready.status, ready.json()], [503, { status: 'the store does not answer' }]);
    assert.equal((await relay.ask(undefined, '/health')).status, 200);
    const newcomer = await testIdentity('new@example.com');
    for (const answer of [
      await relay.register(newcomer, 'new@example.com'),
      await relay.ready(me, { ...place, port: 1 }),
      await relay.ask(me, relayPaths.broadcast, { method: 'DELETE' }),
    ]) {
      assert.deepEqual([answer.status, answer.json()], [503, { error: 'the relay cannot store this now' }]);
      assert.equal(answer.headers['retry-after'], '1');
    }
    assert.equal((await relay.ask(newcomer, relayPaths.list)).status, 401);
    const found = (await relay.lookup(me, 'me@example.com')).json() as { port: number };
    assert.equal(found.port, place.port, 'what was not stored is not shown');
    assert.ok(relay.logLines.some(({ msg }) => msg === 'the store refused a write'));
  });
});

describe('the certificate of an operator', () => {
  async function withFiles(
    parts: KeyAndCertificate,
  ): Promise<AsyncDisposable & { options: object; write(next: KeyAndCertificate): Promise<void> }> {
    const folder = await temporaryFolder();
    const [tlsCertFile, tlsKeyFile] = [join(folder.path, 'full.pem'), join(folder.path, 'key.pem')];
    const write = async (next: KeyAndCertificate): Promise<void> => {
      await writeFile(tlsCertFile, next.certificatePem);
      await writeFile(tlsKeyFile, next.keyPem);
    };
    await write(parts);
    return {
      options: { tlsCertFile, tlsKeyFile },
      write,
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  }

  test('is read again while connections go on, and new ones are shown the new one', async () => {
    await using files = await withFiles(await createServerCertificate(['one']));
    await using relay = await TestRelay.start(files.options);
    const me = await testIdentity('me@example.com');
    await relay.register(me, 'me@example.com');
    const open = await relay.connect(me);
    const before = relay.relay.fingerprint;
    await files.write(await createServerCertificate(['two']));
    await relay.relay.reloadCertificate();
    assert.notEqual(relay.relay.fingerprint, before);
    assert.equal(await shownBy(relay), relay.relay.fingerprint);
    await reach(relay.relay.url);
    open.write(`GET ${relayPaths.list} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n`);
    assert.match(await readAll(open), /^HTTP\/1\.1 200 OK/);
    assert.equal((await relay.lookup(me, 'me@example.com')).status, 404, 'who is known is known');
  });

  test('that cannot be used is refused, and the old one stays', async () => {
    const one = await createServerCertificate(['one']);
    await using files = await withFiles(one);
    await using relay = await TestRelay.start(files.options);
    const { fingerprint, url } = relay.relay;
    const other = await createServerCertificate(['two']);
    await files.write({ certificatePem: other.certificatePem, keyPem: one.keyPem });
    await assert.rejects(relay.relay.reloadCertificate(), /do not belong together/);
    await files.write({ certificatePem: 'half a fi', keyPem: one.keyPem });
    await assert.rejects(relay.relay.reloadCertificate(), /is not a PEM certificate/);
    assert.deepEqual([relay.relay.fingerprint, relay.relay.url], [fingerprint, url]);
    assert.equal(await shownBy(relay), fingerprint);
  });

  test('needs no pin in the URL when an authority signed it', async () => {
    const authority = await testAuthority();
    await using files = await withFiles(await authority.issue('relay.example'));
    await using relay = await TestRelay.start({ ...files.options, publicHost: 'relay.example' });
    assert.equal(relay.relay.url, `https://relay.example:${relay.port}`);
  });

  test('without its key stops the start', async () => {
    await using folder = await temporaryFolder();
    const tlsCertFile = join(folder.path, 'full.pem');
    await assert.rejects(
      runRelay({ port: 0, host, dataFolder: folder.path, tlsCertFile }),
      /give both --tls-cert and --tls-key/,
    );
    const tlsKeyFile = join(folder.path, 'missing.pem');
    await mkdir(tlsCertFile);
    await assert.rejects(
      runRelay({ port: 0, host, dataFolder: folder.path, tlsCertFile, tlsKeyFile }),
      /Cannot read the relay's certificate or its key: EISDIR/,
    );
  });
});

describe('a relay that stops', () => {
  test('finishes the answer that is under way, and does not wait for the idle and the half-open', async () => {
    const relay = await TestRelay.start();
    const me = await testIdentity('me@example.com');
    await relay.register(me, 'me@example.com');
    const halfOpen = connectTcp(relay.port, host);
    await once(halfOpen, 'connect');
    const halfOpenClosed = closed(halfOpen);
    const idle = await relay.connect(me);
    const idleClosed = closed(idle);
    const asking = await relay.connect(me);
    const body = JSON.stringify(place);
    asking.write(`POST ${relayPaths.ready} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
    asking.write(body.slice(0, 5));
    // Answered after the bytes above, and on the same loop: they have arrived.
    await relay.ask(me, relayPaths.list);
    const beganMs = performance.now();
    const stopped = relay[Symbol.asyncDispose]();
    await Promise.all([halfOpenClosed, idleClosed]);
    asking.write(body.slice(5));
    const answer = await readAll(asking);
    assert.match(answer, /^HTTP\/1\.1 200 OK/);
    assert.match(answer, /"expires_in":3600/);
    await stopped;
    assert.ok(performance.now() - beganMs < drainTimeoutMs, 'nothing had to be cut');
    await assert.rejects(relay.connect(me));
  });
});
