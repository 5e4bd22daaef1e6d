import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Registered, Registrations } from './registrations.ts';

const [mine, other] = ['aa'.repeat(32), 'bb'.repeat(32)];
const here = '203.0.113.9';

/** A relay that answers when it is told to, and counts what it is asked. */
class TestRelayWords {
  readonly asked: string[] = [];
  readonly registrations: Registrations;
  nowMs = 1_000_000;
  answer: () => Promise<readonly string[]> = async () => [mine];

  constructor() {
    this.registrations = new Registrations({
      fingerprintsOf: (email) => {
        this.asked.push(email);
        return this.answer();
      },
      nowMs: () => this.nowMs,
    });
  }

  has(email: string, fingerprint: string, address: string = here): Promise<Registered> {
    return this.registrations.has(email, fingerprint, address);
  }
}

describe('registrations', () => {
  test('ask once for many visits, and again after fifteen seconds', async () => {
    const relay = new TestRelayWords();
    for (let time = 0; time < 100; time += 1) assert.equal(await relay.has('me@example.com', mine), 'yes');
    relay.nowMs += 14_999;
    assert.equal(await relay.has('me@example.com', mine), 'yes');
    assert.equal(relay.asked.length, 1);
    relay.answer = async () => [];
    relay.nowMs += 1;
    assert.equal(await relay.has('me@example.com', mine), 'no', 'a certificate that is gone is out');
    assert.equal(relay.asked.length, 2);
  });

  test('ask once for visits at the same moment', async () => {
    const relay = new TestRelayWords();
    const answers = await Promise.all(Array.from({ length: 50 }, () => relay.has('me@example.com', mine)));
    assert.deepEqual(new Set(answers), new Set(['yes']));
    assert.equal(relay.asked.length, 1);
  });

  test('keep people and certificates apart', async () => {
    const relay = new TestRelayWords();
    assert.equal(await relay.has('me@example.com', mine), 'yes');
    assert.equal(await relay.has('me@example.com', other), 'no');
    assert.equal(await relay.has('ann@example.com', other), 'no');
    assert.deepEqual(relay.asked, ['me@example.com', 'me@example.com', 'ann@example.com']);
  });

  test('remember no failure: the relay may be back for the next', async () => {
    const relay = new TestRelayWords();
    for (const fail of [
      () => Promise.reject(new Error('away')),
      () => {
        throw new Error('away at once');
      },
    ]) {
      relay.answer = fail;
      assert.equal(await relay.has('me@example.com', mine), 'unknown');
    }
    relay.answer = async () => [mine];
    assert.equal(await relay.has('me@example.com', mine), 'yes');
  });

  test('ask at most sixteen questions at once, and the next when one is answered', async () => {
    const relay = new TestRelayWords();
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    relay.answer = () => promise;
    const waiting = Array.from({ length: 16 }, (_, index) =>
      relay.has(`p${index}@b`, mine, `10.0.0.${index}`),
    );
    assert.equal(await relay.has('late@b', mine, '10.1.1.1'), 'busy');
    assert.equal(relay.asked.length, 16);
    resolve([mine]);
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['yes']));
    assert.equal(await relay.has('late@b', mine, '10.1.1.1'), 'yes');
  });

  test('are limited for each network, so that made-up certificates cost only their maker', async () => {
    const relay = new TestRelayWords();
    const made = (count: number, address: (index: number) => string): Promise<Registered[]> =>
      Promise.all(
        Array.from({ length: count }, (_, index) => relay.has(`${index}@b`, `${index}`, address(index))),
      );
    // Sixteen at once, then the rest of the twenty.
    await made(16, () => '2001:db8::1');
    for (let index = 16; index < 20; index += 1)
      assert.equal(await relay.has(`${index}@b`, `${index}`, `2001:db8::${index}`), 'no');
    assert.equal(
      await relay.has('next@b', mine, '2001:db8::ffff'),
      'busy',
      'another address of the same /64',
    );
    assert.equal(await relay.has('next@b', mine, '2001:db8:0:1::1'), 'yes', 'another network');
    assert.equal(await relay.has('0@b', '0', '2001:db8::1'), 'no', 'what is known needs no question');
    relay.nowMs += 2000;
    assert.equal(await relay.has('after@b', mine, '2001:db8::1'), 'yes');
    assert.equal(await relay.has('more@b', mine, '2001:db8::1'), 'busy');
  });

  test('remember a thousand, and forget the oldest', async () => {
    const relay = new TestRelayWords();
    for (let index = 0; index < 1001; index += 1)
      await relay.has(`p${index}@b`, mine, `10.${index >> 8}.${index & 255}.1`);
    assert.equal(relay.asked.length, 1001);
    await relay.has('p1000@b', mine, '10.9.9.9');
    assert.equal(relay.asked.length, 1001, 'the newest is known');
    await relay.has('p0@b', mine, '10.9.9.9');
    assert.equal(relay.asked.length, 1002, 'the oldest is not');
  });
});
