import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { z } from 'zod';
import {
  jsonLines,
  listening,
  Program,
  type ProgramEvent,
  ready,
  runToEnd,
} from '../../scripts/support/program.ts';
import { until } from '../support/until.ts';
import { type Host, Lab } from './support/lab.ts';

const relayAddresses = ['203.0.113.1/24', 'fd77::1/64'];
/** Each of them also has a link-local address, and one that is reachable from afar. */
const annaAddresses = ['192.168.77.2/24', 'fd77::2/64', '203.0.113.2/24'];
const benAddresses = ['192.168.77.3/24', 'fd77::3/64', '203.0.113.3/24'];

interface Person {
  readonly email: string;
  readonly host: Host;
  readonly home: string;
  readonly house: string;
  daemon: Program;
}

/** A relay and people on one switch, each on a machine of their own. */
class Village implements AsyncDisposable {
  readonly lab: Lab;
  readonly folder: string;
  relay: Program | undefined;
  relayHost: Host | undefined;
  relayUrl = '';
  readonly #people: Person[] = [];

  private constructor(lab: Lab, folder: string) {
    this.lab = lab;
    this.folder = folder;
  }

  static async found(): Promise<Village> {
    return new Village(await Lab.create(), await mkdtemp(join(tmpdir(), 'flashback-netlab-')));
  }

  async startRelay(addresses: readonly string[] = relayAddresses, ...flags: string[]): Promise<void> {
    const host = await this.lab.addHost('relay', { addresses });
    this.relayHost = host;
    const publicHost = addresses[0]?.split('/')[0] ?? '';
    this.relay = new Program(
      [
        'relay',
        '--port',
        '3000',
        '--public-host',
        publicHost,
        '--data',
        join(this.folder, 'relay'),
        '--json',
        ...flags,
      ],
      { home: join(this.folder, 'operator'), prefix: host.prefix },
    );
    this.relayUrl = (await listening(this.relay)).url;
  }

  async move(name: string, addresses: readonly string[], ...flags: string[]): Promise<Person> {
    const host = await this.lab.addHost(name, { addresses });
    if (addresses.every((address) => address.endsWith('/32')))
      await host.run('ip', 'route', 'add', '203.0.113.1/32', 'dev', 'eth0');
    const home = join(this.folder, name);
    const house = join(this.folder, `${name}-house`);
    await mkdir(house);
    const email = `${name}@example.com`;
    const options = { home, prefix: host.prefix };
    await jsonLines(['init', '--email', email, '--relay', this.relayUrl, '--house', house], options);
    const daemon = new Program(['up', '--json', ...flags], options);
    await ready(daemon);
    const person = { email, host, home, house, daemon };
    this.#people.push(person);
    return person;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#people.map(({ daemon }) => daemon[Symbol.asyncDispose]()));
    await this.relay?.[Symbol.asyncDispose]();
    await this.lab[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

function by(person: Person): { home: string; prefix: string[] } {
  return { home: person.home, prefix: person.host.prefix };
}

async function peerOf(person: Person, email: string): Promise<ProgramEvent | undefined> {
  return (await jsonLines(['peers'], by(person))).find((peer) => peer['email'] === email);
}

async function share(person: Person, name: string, bytes: number): Promise<string> {
  const content = randomBytes(bytes);
  await writeFile(join(person.house, name), content);
  return createHash('sha256').update(content).digest('hex');
}

async function download(
  person: Person,
  place: string,
): Promise<{ sha256: string; done: ProgramEvent | undefined }> {
  const target = join(person.home, `got-${randomBytes(4).toString('hex')}`);
  const events = await jsonLines(['get', place, '-o', target], by(person));
  const content = await readFile(target);
  return { sha256: createHash('sha256').update(content).digest('hex'), done: events.at(-1) };
}

const StatusLineSchema = z.object({ house: z.object({ port: z.number() }) });

async function housePortOf(person: Person): Promise<number> {
  return StatusLineSchema.parse((await jsonLines(['status'], by(person)))[0]).house.port;
}

/** A certificate that no relay knows, as curl takes it. */
async function makeStranger(host: Host, folder: string): Promise<string[]> {
  const [key, certificate] = [join(folder, 'eve.key'), join(folder, 'eve.crt')];
  const files = ['-keyout', key, '-out', certificate];
  await host.run(
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=eve@example.com',
    ...files,
  );
  return ['--cert', certificate, '--key', key];
}

/** What the relay says of somebody, asked as `person`. */
function lookUp(person: Person, email: string): Promise<string> {
  const files = join(person.home, 'identity');
  const certificate = ['--cert', join(files, 'client.crt'), '--key', join(files, 'client.key')];
  const url = `https://192.168.77.1:3000/api/relay/broadcast/lookup?email=${email}`;
  return person.host.run('curl', '-sk', ...certificate, url);
}

function statusOf(host: Host, url: string, certificate: readonly string[] = []): Promise<string> {
  return host.run('curl', '-sk', '-o', '/dev/null', '-w', '%{http_code}', ...certificate, url);
}

describe('two machines that have never met', { timeout: 180_000 }, () => {
  test('find each other through the relay, visit by a local address, browse and download (C9, policy registered)', async () => {
    await using village = await Village.found();
    await village.startRelay();
    const anna = await village.move('anna', annaAddresses, '--policy', 'registered');
    const sha256 = await share(anna, 'film.mkv', 8_000_000);
    await mkdir(join(anna.house, 'deep', 'er'), { recursive: true });
    await writeFile(join(anna.house, 'deep', 'er', 'note.txt'), 'hello from anna');
    const ben = await village.move('ben', benAddresses, '--policy', 'registered');

    const status = (await jsonLines(['status'], by(anna)))[0];
    assert.ok(status !== undefined);
    const announced = JSON.stringify(status['house']);
    for (const address of ['192.168.77.2', 'fd77::2', '203.0.113.2', 'fe80::'])
      assert.match(announced, new RegExp(address));

    const peer = await until('anna is online', async () => {
      const found = await peerOf(ben, anna.email);
      return found?.['status'] === 'online' ? found : undefined;
    });
    assert.equal(peer['friend'], false);
    const names = (await jsonLines(['ls', `${anna.email}:/`], by(ben))).map((entry) => entry['name']);
    assert.deepEqual(names, ['deep', 'film.mkv']);
    const deep = await jsonLines(['ls', `${anna.email}:/deep/er`], by(ben));
    assert.equal(deep[0]?.['name'], 'note.txt');
    const cat = await runToEnd(['cat', `${anna.email}:/deep/er/note.txt`], by(ben));
    assert.equal(cat.stdout.trim(), 'hello from anna');

    const got = await download(ben, `${anna.email}:/film.mkv`);
    assert.equal(got.sha256, sha256);
    assert.equal(got.done?.['via'], 'direct');
    assert.match(
      String((await peerOf(ben, anna.email))?.['address']),
      /^192\.168\.77\.2:/,
      'the local address is preferred',
    );
  });

  test('are let in by policy friends after request and accept (C9)', async () => {
    await using village = await Village.found();
    await village.startRelay();
    const anna = await village.move('anna', annaAddresses);
    const sha256 = await share(anna, 'film.mkv', 100_000);
    const ben = await village.move('ben', benAddresses);

    const knock = await runToEnd(['ls', `${anna.email}:/`, '--json'], by(ben));
    assert.equal(knock.status, 5, knock.stdout + knock.stderr);
    const request = (await jsonLines(['friends', 'requests'], by(anna)))[0];
    assert.equal(request?.['email'], ben.email);
    const own = (await jsonLines(['status'], by(ben)))[0];
    assert.equal(request?.['fingerprint'], own?.['fingerprint'], 'the request shows the key that Ben has');
    await jsonLines(['friends', 'accept', ben.email], by(anna));

    assert.equal((await download(ben, `${anna.email}:/film.mkv`)).sha256, sha256);
    assert.equal((await peerOf(anna, ben.email))?.['friend'], true);
  });

  test('are no longer listed once they have not refreshed for the life of a broadcast (C9)', async () => {
    await using village = await Village.found();
    await village.startRelay(relayAddresses, '--broadcast-lifetime', '4', '--cleanup-interval', '1');
    const anna = await village.move('anna', annaAddresses, '--policy', 'registered');
    const ben = await village.move('ben', benAddresses);
    await until('anna is listed', () => peerOf(ben, anna.email));
    anna.daemon.kill('SIGKILL');
    await anna.daemon.finished;
    await until(
      'anna is no longer listed',
      async () => (await peerOf(ben, anna.email)) === undefined || undefined,
    );
    const gone = await runToEnd(['ls', `${anna.email}:/`], by(ben));
    assert.ok(gone.status === 3 || gone.status === 4, `exit status ${gone.status}`);
  });

  test('keep a third machine out that is not registered', async () => {
    await using village = await Village.found();
    await village.startRelay();
    const anna = await village.move('anna', annaAddresses, '--policy', 'registered');
    const housePort = await housePortOf(anna);
    const eve = await village.lab.addHost('eve', { addresses: ['192.168.77.66/24', '203.0.113.66/24'] });
    const shown = await makeStranger(eve, village.folder);
    assert.equal(await statusOf(eve, 'https://203.0.113.1:3000/api/relay/broadcast/list', shown), '401');
    for (const path of ['/api/files', '/download/film.mkv', '/health', '/archive?format=tar', '/..%2f']) {
      const url = `https://192.168.77.2:${housePort}${path}`;
      assert.equal(await statusOf(eve, url), '401', `${path} without a certificate`);
      assert.equal(await statusOf(eve, url, shown), '403', `${path} with one that the relay does not know`);
    }
    assert.deepEqual(
      await jsonLines(['friends', 'requests'], by(anna)),
      [],
      'a made-up certificate is no request',
    );
  });

  test('visit a friend by the cached address while the relay is down (C8)', async () => {
    await using village = await Village.found();
    await village.startRelay();
    const anna = await village.move('anna', annaAddresses);
    const sha256 = await share(anna, 'film.mkv', 100_000);
    const ben = await village.move('ben', benAddresses);
    for (const [one, other] of [
      [anna, ben],
      [ben, anna],
    ] as const)
      await jsonLines(['friends', 'add', other.email], by(one));
    await until(
      'anna is reachable',
      async () => (await peerOf(ben, anna.email))?.['status'] === 'online' || undefined,
    );

    assert.ok(village.relay !== undefined);
    await village.relay[Symbol.asyncDispose]();
    assert.equal((await download(ben, `${anna.email}:/film.mkv`)).sha256, sha256);
    assert.equal((await peerOf(ben, anna.email))?.['status'], 'online');

    const eve = await village.lab.addHost('eve', { addresses: ['192.168.77.66/24'] });
    const url = `https://192.168.77.2:${await housePortOf(anna)}/api/files`;
    const answer = await statusOf(eve, url, await makeStranger(eve, village.folder));
    assert.equal(answer, '503', 'whom the relay cannot be asked about waits outside');
  });

  test('do all of it over IPv6 only', async () => {
    await using village = await Village.found();
    await village.startRelay(['fd77::1/64']);
    const anna = await village.move('anna', ['fd77::2/64'], '--policy', 'registered');
    const sha256 = await share(anna, 'film.mkv', 100_000);
    const ben = await village.move('ben', ['fd77::3/64']);
    await until('anna is listed', () => peerOf(ben, anna.email));
    assert.equal((await download(ben, `${anna.email}:/film.mkv`)).sha256, sha256);
    assert.match(String((await peerOf(ben, anna.email))?.['address']), /^\[fd77::2\]:/);
  });

  test('by link-local addresses alone, through the zone of their own interface', async () => {
    await using village = await Village.found();
    await village.startRelay(['203.0.113.1/24']);
    // Each knows the way to the relay only, so that nothing but the link-local address leads to the other.
    const anna = await village.move('anna', ['203.0.113.2/32'], '--policy', 'registered');
    const ben = await village.move('ben', ['203.0.113.3/32']);
    const sha256 = await share(anna, 'film.mkv', 100_000);
    await until('anna is listed', () => peerOf(ben, anna.email));
    assert.equal((await download(ben, `${anna.email}:/film.mkv`)).sha256, sha256);
    assert.match(String((await peerOf(ben, anna.email))?.['address']), /^\[fe80::.*%eth0\]:/);
  });

  test('find each other again after one side’s address changed, within ten seconds at the relay', async () => {
    await using village = await Village.found();
    // One address each: with a second one they would go on by that.
    await village.startRelay(['192.168.77.1/24']);
    const anna = await village.move('anna', ['192.168.77.2/24'], '--policy', 'registered');
    const sha256 = await share(anna, 'film.mkv', 100_000);
    const ben = await village.move('ben', ['192.168.77.3/24']);
    await until('anna is listed', () => peerOf(ben, anna.email));
    assert.equal((await download(ben, `${anna.email}:/film.mkv`)).sha256, sha256);

    // In this order: with its primary address an interface loses the others of that subnet.
    await anna.host.removeAddress('192.168.77.2/24');
    await anna.host.addAddress('192.168.77.99/24');
    await until(
      'the relay announces the new address',
      async () => (await lookUp(ben, anna.email)).includes('192.168.77.99') || undefined,
      10_000,
    );
    await until('anna is visited again', async () => {
      const listed = await runToEnd(['ls', `${anna.email}:/`], by(ben));
      return listed.status === 0 || undefined;
    });
    assert.equal((await download(ben, `${anna.email}:/film.mkv`)).sha256, sha256);
  });
});
