import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testIdentity } from '../../identity/testing/test-identity.ts';
import { HouseClient } from '../visit/house-client.ts';
import { VisitError } from '../visit/visit-error.ts';
import { HouseSession, reconnectTriesMax } from './house-session.ts';

const guest = await testIdentity('guest@example.com');
const delays = { firstMs: 1, maxMs: 2 };

/** A client that nobody asks anything. */
function idleClient(via: 'direct' | 'relay' = 'direct'): HouseClient {
  const expected = { kind: 'pinned', fingerprints: [] } as const;
  return new HouseClient({ host: '127.0.0.1', port: 1, expected, identity: guest, via });
}

const lost = new VisitError('unreachable', 'lost', { passing: 'connection' });

test('requests that lose one client together find one next client', async () => {
  const clients: HouseClient[] = [];
  const connect = async (): Promise<HouseClient> => {
    const client = idleClient();
    clients.push(client);
    return client;
  };
  using session = new HouseSession({ connect, signal: new AbortController().signal, delays });
  const first = await session.run(async (house) => house);
  const gate = Promise.withResolvers<void>();
  // This one hears of the loss when the other has a new client already.
  const late = session.run(async (house) => {
    if (house !== first) return house;
    await gate.promise;
    throw lost;
  });
  const early = await session.run(async (house) => {
    if (house === first) throw lost;
    return house;
  });
  gate.resolve();
  assert.equal(await late, early);
  assert.equal(clients.length, 2);
});

test('tries without progress are bounded, and progress begins the count anew', async () => {
  let connects = 0;
  const connect = async (): Promise<HouseClient> => {
    connects += 1;
    return idleClient();
  };
  const signal = new AbortController().signal;
  using session = new HouseSession({ connect, signal, delays });
  await assert.rejects(
    session.run(() => Promise.reject(lost)),
    /lost/,
  );
  assert.equal(connects, 1 + reconnectTriesMax);

  connects = 0;
  using other = new HouseSession({ connect, signal, delays });
  let runs = 0;
  await assert.rejects(
    other.run(() => {
      runs += 1;
      if (runs < 30) other.progressed(64 * 1024);
      return Promise.reject(lost);
    }),
    /lost/,
  );
  assert.ok(connects >= 29 + reconnectTriesMax);
});

test('a byte at a time is no progress', async () => {
  let connects = 0;
  const connect = async (): Promise<HouseClient> => {
    connects += 1;
    return idleClient();
  };
  using session = new HouseSession({ connect, signal: new AbortController().signal, delays });
  const trickle = (): Promise<never> => {
    session.progressed(1);
    return Promise.reject(lost);
  };
  await assert.rejects(session.run(trickle), /lost/);
  assert.equal(connects, 1 + reconnectTriesMax);
});

for (const code of ['identity_changed', 'refused', 'failed'])
  test(`a search for the peer that ends with ${code} is not repeated`, async () => {
    let connects = 0;
    const connect = (): Promise<HouseClient> => {
      connects += 1;
      if (connects === 1) return Promise.resolve(idleClient());
      return Promise.reject(Object.assign(new Error('no'), { code }));
    };
    using session = new HouseSession({ connect, signal: new AbortController().signal, delays });
    await assert.rejects(
      session.run(() => Promise.reject(lost)),
      { code },
    );
    assert.equal(connects, 2);
  });

test('how the bytes come is told by the last client', async () => {
  const clients = [idleClient('direct'), idleClient('relay')];
  using session = new HouseSession({
    connect: async () => clients.shift() ?? idleClient(),
    signal: new AbortController().signal,
    delays,
  });
  await session.run((house, failed) => {
    assert.equal(session.via, house.via);
    return failed === undefined ? Promise.reject(lost) : Promise.resolve();
  });
  assert.equal(session.via, 'relay');
});

test('an abort ends a wait for the next try', async () => {
  const abort = new AbortController();
  let connects = 0;
  const connect = (): Promise<HouseClient> => {
    connects += 1;
    if (connects === 2) abort.abort(new Error('enough'));
    return connects === 1 ? Promise.resolve(idleClient()) : Promise.reject(lost);
  };
  using session = new HouseSession({ connect, signal: abort.signal, delays: { firstMs: 1, maxMs: 600_000 } });
  await assert.rejects(
    session.run(() => Promise.reject(lost)),
    /enough/,
  );
});
