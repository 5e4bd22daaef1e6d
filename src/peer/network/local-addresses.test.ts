import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { linkLocalZone } from '../../util/platform/link-local-zone.ts';
import { announcedAddresses, localAddresses, type NetworkInterfaces } from './local-addresses.ts';

function info(cidr: string, scopeid = 0): NetworkInterfaceInfo {
  const address = cidr.split('/')[0] ?? '';
  const common = {
    address,
    netmask: '',
    mac: '',
    internal: address === '127.0.0.1' || address === '::1',
    cidr,
  };
  return address.includes(':') ? { ...common, family: 'IPv6', scopeid } : { ...common, family: 'IPv4' };
}

const laptop: NetworkInterfaces = {
  lo: [info('127.0.0.1/8'), info('::1/128')],
  docker0: [info('172.17.0.1/16'), info('fe80::42/64', 5)],
  eth0: [
    info('93.184.216.34/24'),
    info('2001:db8::7/64'),
    info('fe80::1/64', 2),
    info('fd00::7/64'),
    info('192.168.1.5/24'),
  ],
  tailscale0: [info('100.101.102.103/32')],
};

test('addresses come in the order of their use, virtual bridges last, loopback not at all', () => {
  assert.deepEqual(announcedAddresses(localAddresses(laptop, 'all')), [
    '192.168.1.5',
    'fd00::7',
    'fe80::1',
    '100.101.102.103',
    '2001:db8::7',
    '93.184.216.34',
    '172.17.0.1',
    'fe80::42',
  ]);
});

test('a link-local address knows its zone, and an address its subnet', () => {
  const local = localAddresses(laptop, 'all');
  assert.deepEqual(
    local.find(({ address }) => address === 'fe80::1'),
    {
      address: 'fe80::1',
      kind: 'link-local-ipv6',
      interfaceName: 'eth0',
      prefixLength: 64,
      isVirtual: false,
      zone: linkLocalZone('eth0', 2),
    },
  );
  assert.equal(linkLocalZone('Ethernet 2', 7, 'win32'), '7');
  assert.equal(linkLocalZone('eth0', 7, 'linux'), 'eth0');
});

test('loopback is announced when the house listens there alone, and when there is nothing else', () => {
  assert.deepEqual(announcedAddresses(localAddresses(laptop, 'loopback')), ['127.0.0.1', '::1']);
  assert.deepEqual(announcedAddresses(localAddresses({ lo: laptop['lo'] }, 'all')), ['127.0.0.1', '::1']);
  assert.deepEqual(localAddresses({}, 'all'), []);
});

test('zones in addresses are cut off, what nobody can reach is left out, the same address is announced once', () => {
  const interfaces = {
    en0: [info('fe80::1%en0/64', 4), info('169.254.7.7/16'), info('224.0.0.1/4')],
    en1: [info('fe80::1/64', 5)],
  };
  assert.deepEqual(announcedAddresses(localAddresses(interfaces, 'all')), ['fe80::1', '169.254.7.7']);
});

test('of more than sixteen addresses no kind crowds out the others', () => {
  const many = Array.from({ length: 30 }, (_, n) => info(`fe80::${(n + 1).toString(16)}/64`, 2));
  const interfaces = {
    eth0: [...many, info('93.184.216.34/24'), info('192.168.1.5/24'), info('2001:db8::7/64')],
  };
  const announced = announcedAddresses(localAddresses(interfaces, 'all'));
  assert.equal(announced.length, 16);
  assert.equal(announced[0], '192.168.1.5');
  assert.deepEqual(announced.slice(-2), ['2001:db8::7', '93.184.216.34']);
});
