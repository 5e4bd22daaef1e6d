import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../util/testing/manual-clock.ts';
import { AddressWatch } from './address-watch.ts';
import type { NetworkInterfaces } from './local-addresses.ts';

const at = (cidr: string): NetworkInterfaces => ({
  eth0: [{ address: cidr.split('/')[0] ?? '', netmask: '', family: 'IPv4', mac: '', internal: false, cidr }],
});

function watched() {
  const clock = new ManualClock();
  const causes: string[] = [];
  const held = { interfaces: at('192.168.1.5/24') };
  const watch = new AddressWatch({ scope: 'all', clock, interfaces: () => held.interfaces });
  watch.on('addressesChanged', ({ cause }) => causes.push(cause));
  return { clock, causes, held, watch };
}

test('a new address is noticed within two seconds, and reported once', () => {
  const { clock, causes, held, watch } = watched();
  clock.advance(60_000);
  assert.deepEqual(causes, []);
  held.interfaces = at('10.0.0.5/8');
  clock.advance(2000);
  assert.deepEqual(causes, ['addresses']);
  assert.deepEqual(watch.announced, ['10.0.0.5']);
  assert.equal(watch.local[0]?.prefixLength, 8);
  clock.advance(60_000);
  assert.deepEqual(causes, ['addresses']);
});

test('a changed subnet is a change: other networks are near now', () => {
  const { clock, causes, held } = watched();
  held.interfaces = at('192.168.1.5/16');
  clock.advance(2000);
  assert.deepEqual(causes, ['addresses']);
});

test('a sleep is noticed by the wall clock that ran on', () => {
  const { clock, causes } = watched();
  clock.jumpWall(30_000);
  clock.advance(2000);
  assert.deepEqual(causes, ['wake']);
  clock.advance(2000);
  assert.deepEqual(causes, ['wake']);
});

test('a disposed watch leaves no timer', () => {
  const { clock, watch } = watched();
  clock.advance(4000);
  watch[Symbol.dispose]();
  assert.deepEqual(clock.delaysMs, []);
});
