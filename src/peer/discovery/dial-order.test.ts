import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressKind } from '../../wire/ip-address.ts';
import type { LocalAddress } from '../network/local-addresses.ts';
import { candidateAddress, type DialInput, dialOrder } from './dial-order.ts';

function local(
  address: string,
  prefixLength: number,
  interfaceName = 'eth0',
  isVirtual = false,
): LocalAddress {
  const kind = addressKind(address) ?? assert.fail(address);
  const zone = kind === 'link-local-ipv6' ? { zone: interfaceName } : {};
  return { address, prefixLength, interfaceName, isVirtual, kind, ...zone };
}

const home = [
  local('192.168.1.5', 24),
  local('fe80::5', 64),
  local('fd00:1::5', 64),
  local('127.0.0.1', 8, 'lo'),
];
const port = 4711;
const announced = (...addresses: string[]) => ({ addresses, port });

const table: readonly (readonly [name: string, input: DialInput, order: readonly string[]])[] = [
  ['nothing known gives nothing to try', { local: home }, []],
  [
    'every kind comes in the order of C3, whatever order it was announced in',
    {
      local: home,
      announced: announced(
        '93.184.216.34',
        '2606:2800::1',
        '100.64.1.1',
        '169.254.1.1',
        'fe80::9',
        'fd00:9::9',
        '10.1.1.1',
        '172.16.1.1',
        '172.31.255.1',
        '192.168.77.1',
      ),
    },
    [
      '10.1.1.1:4711',
      '172.16.1.1:4711',
      '172.31.255.1:4711',
      '192.168.77.1:4711',
      '[fd00:9::9]:4711',
      '[fe80::9%eth0]:4711',
      '100.64.1.1:4711',
      '169.254.1.1:4711',
      '[2606:2800::1]:4711',
      '93.184.216.34:4711',
    ],
  ],
  [
    'within a kind, a network that we are on comes first',
    { local: home, announced: announced('10.1.1.1', '192.168.1.9', 'fd00:9::9', 'fd00:1::9') },
    ['192.168.1.9:4711', '10.1.1.1:4711', '[fd00:1::9]:4711', '[fd00:9::9]:4711'],
  ],
  [
    'where it answered last comes first of all, and is not tried twice',
    {
      local: home,
      cached: { host: '93.184.216.34', port },
      announced: announced('192.168.1.9', '93.184.216.34'),
    },
    ['93.184.216.34:4711', '192.168.1.9:4711'],
  ],
  [
    'an old port of the cached address is tried beside the new one',
    { local: home, cached: { host: '192.168.1.9', port: 4000 }, announced: announced('192.168.1.9') },
    ['192.168.1.9:4000', '192.168.1.9:4711'],
  ],
  [
    'link-local addresses are tried once per interface of ours, real ones first',
    {
      local: [
        local('fe80::1', 64, 'docker0', true),
        local('fe80::2', 64, 'eth0'),
        local('fe80::3', 64, 'wlan0'),
        local('fe80::4', 64, 'eth0'),
      ],
      announced: announced('fe80::9'),
    },
    ['[fe80::9%eth0]:4711', '[fe80::9%wlan0]:4711', '[fe80::9%docker0]:4711'],
  ],
  [
    'link-local addresses need an interface',
    { local: [local('192.168.1.5', 24)], announced: announced('fe80::9') },
    [],
  ],
  [
    'what the relay observed is one more address of its kind',
    {
      local: home,
      announced: { ...announced('192.168.1.9', '93.184.216.34'), observed: '93.184.216.35' },
    },
    ['192.168.1.9:4711', '93.184.216.34:4711', '93.184.216.35:4711'],
  ],
  [
    'what the relay observed and the peer announces is one address, nonsense is none',
    { local: home, announced: { ...announced('192.168.1.9'), observed: '192.168.1.9' } },
    ['192.168.1.9:4711'],
  ],
  [
    'an observed address that is none is left out',
    { local: home, announced: { ...announced('192.168.1.9'), observed: 'relay' } },
    ['192.168.1.9:4711'],
  ],
  [
    'our own house is not the peer',
    {
      local: home,
      housePort: port,
      cached: { host: 'fe80::5%eth0', port },
      announced: announced('192.168.1.5', 'fe80::5', '127.0.0.1', '192.168.1.9'),
    },
    ['192.168.1.9:4711'],
  ],
  [
    'another port of this machine may be another person, also over loopback',
    { local: home, housePort: 4000, announced: announced('127.0.0.1', '192.168.1.5') },
    ['192.168.1.5:4711', '127.0.0.1:4711'],
  ],
  [
    'loopback of somebody elsewhere is not tried',
    { local: home, announced: announced('127.0.0.1', '192.168.1.9') },
    ['192.168.1.9:4711'],
  ],
  [
    'loopback is tried when there is nothing else',
    { local: home, announced: announced('127.0.0.1', '::1') },
    ['127.0.0.1:4711', '[::1]:4711'],
  ],
  [
    'an observed loopback address counts like an announced one',
    { local: home, announced: { ...announced('192.168.1.9'), observed: '127.0.0.1' } },
    ['192.168.1.9:4711'],
  ],
  [
    'the address of our own Docker bridge leads to ourselves: last of its kind, and no sign of a peer on this machine',
    {
      local: [...home, local('172.17.0.1', 16, 'docker0', true)],
      announced: announced('172.17.0.1', '10.1.1.1', '127.0.0.1'),
    },
    ['10.1.1.1:4711', '172.17.0.1:4711'],
  ],
  [
    'multicast, broadcast and the unspecified address are nobody',
    { local: home, announced: announced('224.0.0.1', '255.255.255.255', '0.0.0.0', '::', 'ff02::1') },
    [],
  ],
];

for (const [name, input, order] of table)
  test(name, () => {
    assert.deepEqual(dialOrder(input).map(candidateAddress), order);
  });

test('however much a peer announces, few places are tried', () => {
  const addresses = Array.from({ length: 5000 }, (_, n) => `10.0.${n >> 8}.${n & 255}`);
  assert.equal(dialOrder({ local: home, announced: announced(...addresses) }).length, 24);
});
