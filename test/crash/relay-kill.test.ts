import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { listening, Program } from '../../scripts/support/program.ts';
import { createIdentity, type KeyAndCertificate } from '../../src/identity/create-identity.ts';
import { PinnedClient, readBody } from '../../src/identity/pinned-client.ts';
import { AnnouncedPeerSchema, relayPaths } from '../../src/wire/relay-http.ts';
import { parseRelayUrl, type RelayUrl } from '../../src/wire/relay-url.ts';

/** Rounds of start, load, `kill -9`, start again and look. */
const killCount = 200;
const writesPerSecond = 500;
/** People who announce themselves over and over; the tracker's limit is 20 a second for each. */
const announcerCount = 40;
/** Of a hundred writes, how many register somebody new. */
const registrationsPerHundred = 10;
const answerBytesMax = 65_536;

/** A pseudo-random sequence that a printed seed repeats (mulberry32, Ettinger 2017, public domain). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What one person was told and what they asked for: the port counts up with each announcement. */
interface Person {
  readonly email: string;
  readonly identity: KeyAndCertificate;
  portSent: number;
  portAcknowledged: number;
}

async function makePerson(name: string): Promise<Person> {
  const email = `${name}@example.com`;
  return { email, identity: await createIdentity(email), portSent: 0, portAcknowledged: 0 };
}

/** Clients of one run of the relay. Requests that the kill cuts off are nobody's error. */
class Clients implements Disposable {
  readonly #url: RelayUrl;
  readonly #clientByEmail = new Map<string, PinnedClient>();

  constructor(url: RelayUrl) {
    this.#url = url;
  }

  async ask(
    person: Person,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; text: string }> {
    const response = await this.#client(person).send({
      method,
      path,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.statusCode ?? 0, text: await readBody(response, answerBytesMax) };
  }

  register(person: Person): Promise<{ status: number; text: string }> {
    const { email, identity } = person;
    return this.ask(person, 'POST', relayPaths.register, { email, certificate: identity.certificatePem });
  }

  #client(person: Person): PinnedClient {
    let client = this.#clientByEmail.get(person.email);
    if (client === undefined) {
      const { host, port, fingerprint = '' } = this.#url;
      client = new PinnedClient({
        host,
        port,
        expected: { kind: 'pinned', fingerprints: [fingerprint] },
        identity: person.identity,
        socketsMax: 1,
      });
      this.#clientByEmail.set(person.email, client);
    }
    return client;
  }

  [Symbol.dispose](): void {
    for (const client of this.#clientByEmail.values()) client[Symbol.dispose]();
  }
}

test(`no acknowledged registration or live broadcast is lost by ${killCount} kills under ${writesPerSecond} writes a second`, async (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
  t.diagnostic(`SEED=${seed}`);
  const random = randomFrom(seed);
  const folder = await mkdtemp(join(tmpdir(), 'flashback-crash-'));
  const announcers = await Promise.all(
    Array.from({ length: announcerCount }, (_, index) => makePerson(`announcer${index}`)),
  );
  const acknowledged: Person[] = [];
  let writes = 0;
  let newcomers = 0;
  try {
    for (let round = 0; round <= killCount; round += 1) {
      await using relay = new Program(
        ['relay', '--port', '0', '--data', folder, '--json', '--log-level', 'warn'],
        {
          home: folder,
          environment: { RATE_LIMIT_MAX_REQUESTS: '1000000' },
        },
      );
      const url = parseRelayUrl((await listening(relay)).url);
      using clients = new Clients(url);
      if (round === 0) {
        for (const person of announcers) assert.equal((await clients.register(person)).status, 200);
      }
      await checkNothingLost(clients, announcers, acknowledged.splice(0), `round ${round}, SEED=${seed}`);
      if (round === killCount) break;

      const startMs = performance.now();
      const loadMs = 20 + random() * 300;
      const pending: Promise<void>[] = [];
      let sent = 0;
      for (let elapsedMs = 0; elapsedMs < loadMs; elapsedMs = performance.now() - startMs) {
        // What a late timer missed is made up for: the rate is kept.
        for (; sent < (elapsedMs / 1000) * writesPerSecond; sent += 1) {
          if (random() * 100 < registrationsPerHundred) {
            newcomers += 1;
            pending.push(registerNewcomer(clients, newcomers, acknowledged));
          } else {
            const person = announcers[Math.floor(random() * announcerCount)];
            if (person !== undefined) pending.push(announce(clients, person));
          }
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      writes += sent;
      relay.kill('SIGKILL');
      await relay.finished;
      await Promise.all(pending);
    }
    t.diagnostic(`${writes} writes, ${newcomers} newcomers, ${killCount} kills`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** Sends one announcement and remembers what was answered, if anything was. */
async function announce(clients: Clients, person: Person): Promise<void> {
  const port = (person.portSent % 65_535) + 1;
  person.portSent = port;
  try {
    const { status } = await clients.ask(person, 'POST', relayPaths.ready, {
      port,
      addresses: ['192.0.2.1'],
    });
    if (status === 200) person.portAcknowledged = Math.max(person.portAcknowledged, port);
  } catch {
    // The relay was killed in between: nothing was promised.
  }
}

async function registerNewcomer(clients: Clients, number: number, acknowledged: Person[]): Promise<void> {
  const person = await makePerson(`newcomer${number}`);
  try {
    if ((await clients.register(person)).status === 200) acknowledged.push(person);
  } catch {
    // Likewise.
  }
}

async function checkNothingLost(
  clients: Clients,
  announcers: readonly Person[],
  acknowledged: readonly Person[],
  when: string,
): Promise<void> {
  const [asker] = announcers;
  assert.ok(asker !== undefined);
  for (const person of announcers) {
    if (person.portAcknowledged === 0) continue;
    const path = `${relayPaths.lookup}?email=${person.email}`;
    const { status, text } = await clients.ask(person, 'GET', path);
    assert.equal(status, 200, `${person.email} was announced and is gone, ${when}: ${text}`);
    const { port } = AnnouncedPeerSchema.parse(JSON.parse(text));
    assert.ok(
      port >= person.portAcknowledged && port <= person.portSent,
      `${person.email} was acknowledged at ${person.portAcknowledged}, sent ${person.portSent}, found at ${port}, ${when}`,
    );
  }
  for (const person of acknowledged) {
    const again = await clients.register(person);
    assert.equal(
      again.status,
      200,
      `${person.email} was registered and is not known, ${when}: ${again.text}`,
    );
    const { status } = await clients.ask(person, 'GET', `${relayPaths.certificate}?email=${person.email}`);
    assert.equal(status, 200, `${person.email} was registered and is not found, ${when}`);
  }
}
