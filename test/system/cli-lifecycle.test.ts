/** Starting and stopping by the command line, as real processes. */
import assert from 'node:assert/strict';
import { randomUUID, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { jsonLines, listening, Program, ready, runToEnd } from '../../scripts/support/program.ts';
import { sameSignalWithinMs } from '../../src/cli/context.ts';
import { createServerCertificate } from '../../src/identity/create-identity.ts';
import { httpsServer } from '../../src/peer/testing/https-server.ts';
import { sleep } from '../../src/util/deadline.ts';
import { temporaryFolder } from '../../src/util/testing/temporary-folder.ts';
import { localApiAccessFileName } from '../../src/wire/local-api.ts';
import { relayPaths } from '../../src/wire/relay-http.ts';

/** The promise is 5 s; a machine under load is given some more. */
const cleanStopMs = 8000;

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  test(`${signal} stops a daemon cleanly with exit code 0, and its word of itself is gone`, async () => {
    await using person = await initialised();
    await using daemon = new Program(['up', '--json', '--ui-port', '0'], person);
    await ready(daemon);
    const access = join(person.home, localApiAccessFileName);
    if (process.platform !== 'win32') assert.equal((await stat(access)).mode & 0o777, 0o600);
    const startedMs = performance.now();
    daemon.kill(signal);
    assert.equal((await daemon.finished).status, 0);
    assert.ok(performance.now() - startedMs < cleanStopMs);
    await assert.rejects(stat(access), { code: 'ENOENT' });
  });

test('a relay that has stopped answering does not hold up a clean stop', async () => {
  await using person = await initialised();
  await using relay = await announcedAt(person);
  void relay.answersNothing();
  const startedMs = performance.now();
  relay.daemon.kill('SIGTERM');
  assert.equal((await relay.daemon.finished).status, 0);
  assert.ok(performance.now() - startedMs < cleanStopMs);
});

for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  test(`a second ${signal} ends a daemon that waits for its relay at once, with ${exitCode}`, async () => {
    await using person = await initialised();
    await using relay = await announcedAt(person);
    const goodbye = relay.answersNothing();
    relay.daemon.kill(signal);
    await goodbye;
    // One press of Ctrl-C can arrive twice within milliseconds (npm passes it on); the second one is a wish of its own.
    await sleep(sameSignalWithinMs + 100);
    relay.daemon.kill(signal);
    assert.equal((await relay.daemon.finished).status, exitCode);
  });

test('flashback stop stops the daemon, and is itself done', async () => {
  await using person = await initialised();
  await using daemon = new Program(['up', '--json', '--ui-port', '0'], person);
  await ready(daemon);
  assert.equal((await runToEnd(['stop'], person)).status, 0);
  assert.equal((await daemon.finished).status, 0);
  assert.equal((await runToEnd(['stop'], person)).status, 4);
});

test('a second daemon on the same data says that there is one', async () => {
  await using person = await initialised();
  await using daemon = new Program(['up', '--json', '--ui-port', '0'], person);
  await ready(daemon);
  const second = await runToEnd(['up', '--ui-port', '0'], person);
  assert.equal(second.status, 1);
  assert.match(second.stderr, /uses the data folder/);
});

test('up without an identity says to run init', async () => {
  await using home = await temporaryFolder();
  const { status, stderr } = await runToEnd(['up'], { home: home.path });
  assert.equal(status, 1);
  assert.match(stderr, /flashback init/);
});

test('up as somebody whom the certificate does not name is wrong usage', async () => {
  await using person = await initialised();
  const { status, stderr } = await runToEnd(['up', '--email', 'you@example.com'], person);
  assert.equal(status, 2);
  assert.match(stderr, /certificate .* says me@example\.com/);
});

test('flags of up hold for the run, before environment and config file', async () => {
  await using person = await initialised();
  const port = await freePort();
  await using daemon = new Program(
    [
      'up',
      '--json',
      '--ui-port',
      '0',
      '--port',
      String(port),
      '--policy',
      'a@b.c,d@e.f',
      '--interface',
      'loopback',
    ],
    {
      ...person,
      environment: { FLASHBACK_POLICY: 'registered', FLASHBACK_HOUSE_PORT: '1' },
    },
  );
  assert.equal((await ready(daemon)).port, port);
  const [status] = await jsonLines(['status'], person);
  assert.match(JSON.stringify(status), /a@b\.c, ?d@e\.f/);
});

test('export from a running daemon, import on a new machine', async () => {
  await using person = await initialised();
  await using fresh = await temporaryFolder();
  const file = join(person.home, 'me.flashback');
  const secret = join(person.home, 'passphrase');
  await writeFile(secret, 'correct horse battery\n');
  const [before] = await jsonLines(['identity'], person);
  {
    await using daemon = new Program(['up', '--json', '--ui-port', '0'], person);
    await ready(daemon);
    await jsonLines(['identity', 'export', file, '--passphrase-file', secret], person);
    const running = await runToEnd(['identity', 'import', file, '--passphrase-file', secret], person);
    assert.equal(running.status, 1);
    assert.match(running.stderr, /stop it/);
  }
  assert.equal((await runToEnd(['identity', 'export', file, '--passphrase-file', secret], person)).status, 1);
  await writeFile(join(fresh.path, 'wrong'), 'correct horse batterz\n');
  const there = { home: join(fresh.path, 'home') };
  assert.equal(
    (await runToEnd(['identity', 'import', file, '--passphrase-file', join(fresh.path, 'wrong')], there))
      .status,
    1,
  );
  await jsonLines(['identity', 'import', file, '--passphrase-file', secret], there);
  const [after] = await jsonLines(['identity'], there);
  assert.equal(after?.['fingerprint'], before?.['fingerprint']);
  assert.doesNotMatch(await readFile(file, 'utf8'), /example\.com/);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  test(`${signal} stops a relay cleanly with exit code 0`, async () => {
    await using folder = await temporaryFolder();
    await using relay = new Program(['relay', '--port', '0', '--data', folder.path, '--json'], {
      home: folder.path,
    });
    const { url, port } = await listening(relay);
    assert.match(url, new RegExp(`^https://127\\.0\\.0\\.1:${port}#sha256=[0-9a-f]{64}$`));
    relay.kill(signal);
    assert.equal((await relay.finished).status, 0);
  });

test('a relay keeps its certificate, so that its URL stays good', async () => {
  await using folder = await temporaryFolder();
  const fingerprints: string[] = [];
  for (let start = 0; start < 2; start += 1) {
    await using relay = new Program(['relay', '--port', '0', '--data', folder.path, '--json'], {
      home: folder.path,
    });
    fingerprints.push((await listening(relay)).url.replace(/.*#/, ''));
  }
  assert.equal(fingerprints[0], fingerprints[1]);
});

test('a backup of a running relay starts as a relay that knows the same people', async () => {
  await using person = await initialised();
  await using folder = await temporaryFolder();
  const [data, restored, file] = ['data', 'restored', 'backup.sqlite'].map((name) =>
    join(folder.path, name),
  ) as [string, string, string];
  const operator = { home: join(folder.path, 'operator') };
  {
    await using relay = new Program(['relay', '--port', '0', '--data', data, '--json'], operator);
    const { url } = await listening(relay);
    await using daemon = new Program(['up', '--json', '--ui-port', '0', '--relay', url], person);
    await daemon.event(
      'announced',
      ({ event, ...line }) => event === 'relay' && line['state'] === 'announced',
    );
    assert.deepEqual(await jsonLines(['relay', 'backup', file, '--data', data], operator), [
      { event: 'backup', path: file },
    ]);
  }
  const again = await runToEnd(['relay', 'backup', file, '--data', data], operator);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /never replaces a file/);
  await mkdir(restored);
  await copyFile(file, join(restored, 'relay.sqlite'));
  for (const name of ['relay.key', 'relay.crt']) await copyFile(join(data, name), join(restored, name));
  await using relay = new Program(['relay', '--port', '0', '--data', restored, '--json'], operator);
  await listening(relay);
  const line = relay.stderr.split('\n').find((text) => text.includes('is listening')) ?? '';
  assert.match(line, /"clients":1\b/);
});

test('backing up what is no relay, or one on PostgreSQL, says so', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'backup.sqlite');
  const nothing = await runToEnd(['relay', 'backup', file, '--data', folder.path], { home: folder.path });
  assert.equal(nothing.status, 1);
  assert.match(nothing.stderr, /relay\.sqlite/);
  const elsewhere = await runToEnd(['relay', 'backup', file], {
    home: folder.path,
    environment: { DATABASE_URL: 'postgres://db/relay' },
  });
  assert.equal(elsewhere.status, 2);
  assert.match(elsewhere.stderr, /pg_dump/);
  await assert.rejects(stat(file), { code: 'ENOENT' });
});

test('a relay whose port is taken says so', async () => {
  await using folder = await temporaryFolder();
  const server = createServer();
  server.listen(0, '::');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { status, stderr } = await runToEnd(
    ['relay', '--port', String(port), '--data', folder.path, '--json'],
    { home: folder.path },
  );
  server.close();
  assert.equal(status, 1);
  assert.match(stderr, new RegExp(`Port ${port} is in use`));
});

async function initialised(): Promise<AsyncDisposable & { readonly home: string }> {
  const folder = await temporaryFolder();
  const home = join(folder.path, 'home');
  await mkdir(join(folder.path, 'house'));
  await jsonLines(['init', '--email', 'me@example.com', '--house', join(folder.path, 'house')], { home });
  return { home, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

/** A daemon that a relay announces, and the relay, which can fall silent. */
async function announcedAt(person: { readonly home: string }): Promise<
  AsyncDisposable & {
    readonly daemon: Program;
    /** From now on requests stay open; resolves when the next one has come. */
    answersNothing(): Promise<void>;
  }
> {
  await using cleanup = new AsyncDisposableStack();
  let onSilenced: (() => void) | undefined;
  const certificate = await createServerCertificate(['localhost']);
  const relay = cleanup.use(
    await httpsServer(certificate, (request, response) => {
      if (onSilenced !== undefined) onSilenced();
      else if (request.url === relayPaths.register) response.end(JSON.stringify({ client_id: randomUUID() }));
      else response.end(JSON.stringify({ broadcast_id: randomUUID(), expires_in: 3600 }));
    }),
  );
  cleanup.defer(() => relay.cut());
  const pin = new X509Certificate(certificate.certificatePem).fingerprint256.replaceAll(':', '');
  const url = `https://127.0.0.1:${relay.port}#sha256=${pin}`;
  const daemon = cleanup.use(new Program(['up', '--json', '--ui-port', '0', '--relay', url], person));
  await daemon.event('announced', ({ event, ...line }) => event === 'relay' && line['state'] === 'announced');
  const owned = cleanup.move();
  return {
    daemon,
    answersNothing: () =>
      new Promise((resolve) => {
        onSilenced = resolve;
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
