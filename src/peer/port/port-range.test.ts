import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { describe, test } from 'node:test';
import { listenInRange, parsePortRange } from './port-range.ts';

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** Servers that hold some ports in a row, and the first of these. */
async function holdPorts(count: number): Promise<AsyncDisposable & { readonly first: number }> {
  for (;;) {
    const held: Server[] = [];
    const close = (): Promise<unknown> => Promise.all(held.map((server) => once(server.close(), 'close')));
    try {
      let first = 0;
      for (let index = 0; index < count; index += 1) {
        const server = createServer();
        held.push(server);
        server.listen(index === 0 ? 0 : first + index, '127.0.0.1');
        await once(server, 'listening');
        if (index === 0) first = portOf(server);
      }
      return { first, [Symbol.asyncDispose]: async () => void (await close()) };
    } catch {
      // Somebody else has one of these: others, then.
      await Promise.all(
        held.filter(({ listening }) => listening).map((server) => once(server.close(), 'close')),
      );
    }
  }
}

async function listening(
  ports: Parameters<typeof listenInRange>[1],
): Promise<AsyncDisposable & { port: number }> {
  const server = createServer();
  await listenInRange(server, ports, 'loopback');
  return {
    port: portOf(server),
    [Symbol.asyncDispose]: async () => void (await once(server.close(), 'close')),
  };
}

test('parsePortRange reads any port, a port and the next ones, and a range', () => {
  assert.deepEqual(parsePortRange(0), { first: 0, last: 0 });
  assert.deepEqual(parsePortRange(0, 4711), { first: 0, last: 0, preferred: 4711 });
  assert.deepEqual(parsePortRange(4711), { first: 4711, last: 4731 });
  assert.deepEqual(parsePortRange(65_530), { first: 65_530, last: 65_535 });
  assert.deepEqual(parsePortRange('4711-4712'), { first: 4711, last: 4712 });
  for (const setting of ['5-4', '0-5', '1-65536', 'x', '-', ''])
    assert.throws(() => parsePortRange(setting), new RegExp(`"${setting}" must go from a lower`), setting);
});

describe('listenInRange', () => {
  test('takes the first port of the range that is free', async () => {
    await using held = await holdPorts(2);
    await using server = await listening({ first: held.first, last: held.first + 20 });
    assert.ok(server.port >= held.first + 2 && server.port <= held.first + 20);
  });

  test('names the range when none is free', async () => {
    await using held = await holdPorts(2);
    const { first } = held;
    await assert.rejects(listening({ first, last: first + 1 }), {
      message: `Cannot open the house: ports ${first} to ${first + 1} are in use or not allowed. Choose another with --port, or 0 for any free one`,
    });
    await assert.rejects(listening({ first, last: first }), /Cannot open the house: port \d+ is in use/);
  });

  test('goes back to the preferred port, and to any other when that is taken', async () => {
    const before = await listening({ first: 0, last: 0 });
    const { port } = before;
    await using elsewhere = await listening({ first: 0, last: 0, preferred: port });
    assert.notEqual(elsewhere.port, port);
    await before[Symbol.asyncDispose]();
    await using again = await listening({ first: 0, last: 0, preferred: port });
    assert.equal(again.port, port);
  });
});
