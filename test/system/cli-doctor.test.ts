/** Each fault that `flashback doctor` knows is injected, and found by its code and by the exit status. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { runToEnd } from '../../scripts/support/program.ts';
import { createIdentity, createServerCertificate } from '../../src/identity/create-identity.ts';
import { checkIdentity, type Identity, saveIdentity } from '../../src/identity/key-store.ts';
import { testIdentity } from '../../src/identity/testing/test-identity.ts';
import { httpsServer } from '../../src/peer/testing/https-server.ts';
import { temporaryFolder } from '../../src/util/testing/temporary-folder.ts';
import { FindingSchema, localApiAccessFileName, type Status } from '../../src/wire/local-api.ts';

const dayMs = 86_400_000;

interface Patient extends AsyncDisposable {
  readonly home: string;
  readonly house: string;
  readonly identity: Identity;
  /** Writes the config file: a healthy one with these changes. */
  configure(changes: object): Promise<void>;
  /** What `flashback doctor --json` finds, but for what is fine, as `code severity`. */
  examine(): Promise<{ status: number | null; findings: string[]; messages: string }>;
}

/** How the relay of a patient answers. */
interface RelayBehaviour {
  readonly status?: number;
  readonly body?: object;
  readonly clockOffsetMs?: number;
}

test('a healthy installation whose daemon does not run has nothing but that warning, and exits with 0', async () => {
  await using patient = await admit();
  const { status, findings } = await patient.examine();
  assert.deepEqual([status, findings], [0, ['daemon_not_running warning']]);
});

test('a machine where nothing was set up is told to run init', async () => {
  await using home = await temporaryFolder();
  const { status, findings } = await examine(home.path);
  assert.equal(status, 1);
  assert.ok(findings.includes('not_initialised error'));
});

test('a config file with a wrong value is found', async () => {
  await using patient = await admit();
  await patient.configure({ policy: 'everybody', housePort: -1 });
  const { status, findings } = await patient.examine();
  assert.equal(status, 1);
  assert.deepEqual(findings.slice(0, 2), ['config_invalid error', 'config_invalid error']);
});

test('a certificate that cannot be read is found', async () => {
  await using patient = await admit();
  await writeFile(join(patient.home, 'identity', 'client.crt'), 'rubbish');
  await assertFinding(patient, 'identity_unreadable error', 1);
});

test('a certificate of another key is found', async () => {
  await using patient = await admit();
  const other = await testIdentity('me@example.com');
  await writeFile(join(patient.home, 'identity', 'client.crt'), other.certificatePem);
  await assertFinding(patient, 'identity_unreadable error', 1);
});

test('a private key that others may read is found', { skip: process.platform === 'win32' }, async () => {
  await using patient = await admit();
  await chmod(join(patient.home, 'identity', 'client.key'), 0o640);
  await assertFinding(patient, 'identity_exposed error', 1, /chmod 600/);
});

test('an expired certificate is found, and the relay that refuses it is no second problem', async () => {
  await using patient = await admit({ status: 400, body: { error: 'certificate expired' } });
  await reissue(patient, { nowMs: Date.now() - 800 * dayMs });
  const { status, findings } = await patient.examine();
  assert.equal(status, 1);
  assert.deepEqual(findings, ['certificate_expired error', 'daemon_not_running warning']);
});

test('a certificate that ends within a month is a warning', async () => {
  await using patient = await admit();
  await reissue(patient, { validityMs: 10 * dayMs });
  await assertFinding(patient, 'certificate_expires_soon warning', 0);
});

test('a clock five minutes off is a warning, and two days are an error', async () => {
  await using late = await admit({ clockOffsetMs: 5 * 60_000 });
  await assertFinding(late, 'clock_off warning', 0, /5 minutes behind/);
  await using early = await admit({ clockOffsetMs: -2 * dayMs });
  await assertFinding(early, 'clock_off error', 1, /2 days ahead/);
});

test('a relay that is switched off, one whose name is unknown, and one that says nothing each have their sentence', async () => {
  await using patient = await admit();
  await using silent = await listener('127.0.0.1');
  const closed = await closedPort();
  const table: readonly (readonly [host: string, sentence: RegExp])[] = [
    [`127.0.0.1:${closed}`, /refused: nothing listens there/],
    // Without any resolver the machine cannot look names up at all.
    ['relay.invalid:3000', /the name is unknown|names cannot be looked up now/],
    [`127.0.0.1:${silent.port}`, /no answer in time/],
  ];
  for (const [host, sentence] of table) {
    await patient.configure({ relayTrackerUrl: `https://${host}#sha256=${'ab'.repeat(32)}` });
    await assertFinding(patient, 'relay_unreachable error', 1, sentence);
  }
});

test('a relay with another certificate than the one in its URL is found', async () => {
  await using patient = await admit();
  await using relay = await fakeRelay({});
  await patient.configure({ relayTrackerUrl: `https://127.0.0.1:${relay.port}#sha256=${'ab'.repeat(32)}` });
  await assertFinding(patient, 'relay_identity_changed error', 1);
});

test('a self-signed relay whose URL has no fingerprint is not trusted', async () => {
  await using patient = await admit();
  await using relay = await fakeRelay({});
  await patient.configure({ relayTrackerUrl: `https://127.0.0.1:${relay.port}` });
  await assertFinding(patient, 'relay_identity_changed error', 1, /#sha256/);
});

test('a relay that refuses us is found, with its own words', async () => {
  await using patient = await admit({
    status: 409,
    body: { error: 'the e-mail belongs to another certificate' },
  });
  await assertFinding(patient, 'relay_refuses error', 1, /belongs to another certificate/);
});

test('no relay at all is a warning', async () => {
  await using patient = await admit();
  await patient.configure({ relayTrackerUrl: undefined });
  await assertFinding(patient, 'relay_unreachable warning', 0);
});

test('a shared folder that is gone, and one that is a file, are found', async () => {
  await using patient = await admit();
  await rm(patient.house, { recursive: true });
  await assertFinding(patient, 'folder_away error', 1, /does not exist/);
  await writeFile(patient.house, '');
  await assertFinding(patient, 'folder_away error', 1, /not a folder/);
});

test('a fixed port that another program has is a warning, since the next one is taken; a full range is an error', async () => {
  await using patient = await admit();
  await using taken = await listener('::');
  await patient.configure({ housePort: taken.port });
  await assertFinding(patient, 'port_in_use warning', 0);
  await patient.configure({ housePort: `${taken.port}-${taken.port}` });
  await assertFinding(patient, 'port_in_use error', 1);
});

test('a house that does not answer at its own addresses is found', async () => {
  await using patient = await admit();
  await using _daemon = await fakeDaemon(patient, { port: await closedPort(), addresses: ['127.0.0.1'] });
  await assertFinding(patient, 'port_blocked error', 1, /127\.0\.0\.1:\d+ \(refused/);
});

// Only Linux has all of 127.0.0.0/8 without being asked.
test('somebody else at one of the addresses is a warning', {
  skip: process.platform !== 'linux',
}, async () => {
  await using patient = await admit();
  await using own = await httpsServer(patient.identity, (_request, response) => response.end(), {
    host: '127.0.0.1',
  });
  await using _other = await httpsServer(
    await testIdentity('other@example.com'),
    (_request, response) => response.end(),
    { host: '127.0.0.2', port: own.port },
  );
  await using _daemon = await fakeDaemon(patient, { port: own.port, addresses: ['127.0.0.1', '127.0.0.2'] });
  await assertFinding(patient, 'port_blocked warning', 0, /127\.0\.0\.2:\d+ \(somebody else answers there\)/);
});

test('a folder that the running daemon finds away is found by its word', async () => {
  await using patient = await admit();
  await using _daemon = await fakeDaemon(patient, { state: 'away', reason: 'its disk is not mounted: /x' });
  await assertFinding(patient, 'folder_away error', 1, /its disk is not mounted/);
});

test('a daemon that was killed has left its word behind, and does not run', async () => {
  await using patient = await admit();
  const access = { url: `http://127.0.0.1:${await closedPort()}`, token: 'x', pid: 1 };
  await writeFile(join(patient.home, localApiAccessFileName), JSON.stringify(access));
  await assertFinding(patient, 'daemon_not_running warning', 0);
});

test('a daemon that answers with something else is an error', async () => {
  await using patient = await admit();
  await using _daemon = await fakeDaemon(patient, undefined);
  await assertFinding(patient, 'daemon_not_running error', 1);
});

test('people read a word, what was checked, what is wrong, and what to do', async () => {
  await using patient = await admit();
  await rm(patient.house, { recursive: true });
  const { stdout, stderr, status } = await runToEnd(['doctor'], { home: patient.home });
  assert.equal(status, 1);
  assert.match(stdout, /^error {4}house {6} The folder you share does not exist: .*\n {21}Mount its disk/m);
  assert.equal(stderr, 'flashback: One thing does not work\n');
});

async function assertFinding(
  patient: Patient,
  finding: string,
  exitStatus: number,
  message = /./,
): Promise<void> {
  const { status, findings, messages } = await patient.examine();
  assert.ok(findings.includes(finding), `${findings.join(', ')}: ${messages}`);
  assert.match(messages, message);
  assert.equal(status, exitStatus, messages);
}

/** Somebody with an identity, a house and a relay: everything as it should be. */
async function admit(behaviour: RelayBehaviour = {}): Promise<Patient> {
  await using cleanup = new AsyncDisposableStack();
  const folder = cleanup.use(await temporaryFolder());
  const [home, house] = [join(folder.path, 'home'), join(folder.path, 'house')];
  await mkdir(house);
  const relay = cleanup.use(await fakeRelay(behaviour));
  const identity = await saveIdentity(join(home, 'identity'), await testIdentity('me@example.com'));
  const configure = (changes: object): Promise<void> =>
    writeFile(
      join(home, 'config.json'),
      JSON.stringify({
        email: 'me@example.com',
        fileRootDirectory: house,
        relayTrackerUrl: relay.url,
        ...changes,
      }),
    );
  await configure({});
  const owned = cleanup.move();
  return {
    home,
    house,
    identity,
    configure,
    examine: () => examine(home),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function examine(
  home: string,
): Promise<{ status: number | null; findings: string[]; messages: string }> {
  const { status, stdout, stderr } = await runToEnd(['doctor', '--json'], { home });
  const findings = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => FindingSchema.parse(JSON.parse(line)));
  const bad = findings.filter(({ severity }) => severity !== 'ok');
  for (const { advice } of bad)
    assert.ok(advice !== undefined && advice.length > 10, 'every problem comes with advice');
  return {
    status,
    findings: bad.map(({ code, severity }) => `${code} ${severity}`),
    messages: bad.map(({ message, advice }) => `${message}. ${advice}`).join('\n') + stderr,
  };
}

/** Another certificate for the patient's key. */
async function reissue(
  { home, identity }: Patient,
  options: { nowMs?: number; validityMs?: number },
): Promise<void> {
  const parts = await createIdentity('me@example.com', { keyPem: identity.keyPem, ...options });
  await saveIdentity(join(home, 'identity'), parts);
}

async function fakeRelay({
  status = 200,
  body,
  clockOffsetMs = 0,
}: RelayBehaviour): Promise<AsyncDisposable & { readonly port: number; readonly url: string }> {
  const certificate = await createServerCertificate(['localhost']);
  const server = await httpsServer(certificate, (_request, response) => {
    response.statusCode = status;
    response.setHeader('date', new Date(Date.now() + clockOffsetMs).toUTCString());
    response.end(JSON.stringify(body ?? { client_id: '0d3c7f04-3c9a-4a39-9d0f-8d0b2c1f8a11' }));
  });
  const fingerprint = new X509Certificate(certificate.certificatePem).fingerprint256
    .replaceAll(':', '')
    .toLowerCase();
  return {
    port: server.port,
    url: `https://127.0.0.1:${server.port}#sha256=${fingerprint}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A daemon's local API that has this house; without one it answers nonsense. */
async function fakeDaemon(
  patient: Patient,
  house: Partial<Status['house']> | undefined,
): Promise<AsyncDisposable> {
  const { claims } = checkIdentity(patient.identity, 'a test');
  const status: Status | undefined = house && {
    email: claims.email,
    fingerprint: claims.fingerprint,
    safetyWords: [],
    certificateExpiresAt: new Date(claims.notAfterMs).toISOString(),
    version: '0.0.0',
    pid: process.pid,
    startedAt: new Date().toISOString(),
    ui: 'http://127.0.0.1:1/',
    house: { state: 'shared', folder: patient.house, addresses: [], policy: 'friends', ...house },
    relay: { state: 'announced', url: 'https://127.0.0.1:1' },
    requestsWaiting: 0,
  };
  const server = createHttpServer((_request, response) =>
    response.end(JSON.stringify(status ?? { hello: 'world' })),
  );
  const { port, [Symbol.asyncDispose]: dispose } = await listening(server, '127.0.0.1');
  const access = { url: `http://127.0.0.1:${port}`, token: 'x', pid: process.pid };
  await writeFile(join(patient.home, localApiAccessFileName), JSON.stringify(access));
  return { [Symbol.asyncDispose]: dispose };
}

/** Takes connections and never says anything. */
function listener(host: string): Promise<AsyncDisposable & { readonly port: number }> {
  return listening(createServer(), host);
}

async function listening(server: Server, host: string): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function closedPort(): Promise<number> {
  await using server = await listener('127.0.0.1');
  return server.port;
}
