import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { listening, Program } from '../../scripts/support/program.ts';
import { createIdentity } from '../../src/identity/create-identity.ts';
import { PinnedClient, readBody } from '../../src/identity/pinned-client.ts';
import { relayPaths } from '../../src/wire/relay-http.ts';
import { parseRelayUrl } from '../../src/wire/relay-url.ts';

const clientCount = 1000;
const asksPerClient = 5;
/** Requests under way at once: what is measured is the relay, not the queue in front of it. */
const concurrency = 8;
const answerBytesMax = 4 * 1024 * 1024;
/** Mission T9, at p99. */
const limitsMs = { lookup: 100, list: 200, ready: 1000 } as const;

interface Client {
  readonly email: string;
  readonly http: PinnedClient;
}

/** Runs `work` for each item, so many at a time. */
async function forEach<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      const item = items[index];
      if (item !== undefined) await work(item, index);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

function p99(durationsMs: readonly number[]): number {
  const sorted = durationsMs.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.POSITIVE_INFINITY;
}

test(`with ${clientCount} connected clients look-up, list and ready stay within the mission's limits (T9)`, {
  timeout: 300_000,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'flashback-limits-'));
  const clients: Client[] = [];
  try {
    await using relay = new Program(
      ['relay', '--port', '0', '--data', folder, '--json', '--log-level', 'warn'],
      {
        home: folder,
        environment: { RATE_LIMIT_MAX_REQUESTS: '1000000' },
      },
    );
    const { host, port, fingerprint = '' } = parseRelayUrl((await listening(relay)).url);
    const ask = async (client: Client, method: string, path: string, body?: unknown): Promise<number> => {
      const startMs = performance.now();
      const response = await client.http.send({
        method,
        path,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await readBody(response, answerBytesMax);
      assert.equal(response.statusCode, 200, text);
      return performance.now() - startMs;
    };

    await forEach([...Array(clientCount).keys()], async (index) => {
      const email = `client${index}@example.com`;
      const identity = await createIdentity(email);
      const expected = { kind: 'pinned', fingerprints: [fingerprint] } as const;
      const client = { email, http: new PinnedClient({ host, port, expected, identity, socketsMax: 1 }) };
      clients.push(client);
      await ask(client, 'POST', relayPaths.register, { email, certificate: identity.certificatePem });
    });

    const durations = { ready: [] as number[], lookup: [] as number[], list: [] as number[] };
    for (let round = 0; round < asksPerClient; round += 1) {
      await forEach(clients, async (client, index) => {
        const announcement = { port: 1024 + round, addresses: ['192.168.1.5', 'fd00::5', '192.0.2.7'] };
        durations.ready.push(await ask(client, 'POST', relayPaths.ready, announcement));
        const other = clients[(index * 7 + round) % clients.length] ?? client;
        const known = round === 0 ? client.email : other.email;
        durations.lookup.push(await ask(client, 'GET', `${relayPaths.lookup}?email=${known}`));
        if (index % 10 === 0) durations.list.push(await ask(client, 'GET', relayPaths.list));
      });
    }
    for (const [name, limitMs] of Object.entries(limitsMs)) {
      const measured = p99(durations[name as keyof typeof limitsMs]);
      t.diagnostic(`${name}: p99 ${measured.toFixed(1)} ms, limit ${limitMs} ms`);
      assert.ok(measured < limitMs, `${name} took ${measured.toFixed(1)} ms at p99`);
    }
  } finally {
    for (const { http } of clients) http[Symbol.dispose]();
    await rm(folder, { recursive: true, force: true });
  }
});
