import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import {
  addressKind,
  addressKinds,
  bracketed,
  IpAddressSchema,
  networkOf,
  parseIpAddress,
} from './ip-address.ts';

test('parseIpAddress gives the canonical form of an IP literal', () => {
  for (const [text, address] of [
    ['192.168.1.50', '192.168.1.50'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['FE80::1', 'fe80::1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::ffff:192.168.1.50', '192.168.1.50'],
    ['::FFFF:c0a8:132', '192.168.1.50'],
    ['::1.2.3.4', '::102:304'],
    ['0000:0000:0000:0000:0000:ffff:192.168.100.228', '192.168.100.228'],
  ] as const)
    assert.equal(parseIpAddress(text), address, text);
});

test('parseIpAddress refuses host names, zones, ports, brackets and every other spelling of IPv4', () => {
  for (const text of [
    '',
    'localhost',
    'example.com',
    'fe80::1%eth0',
    'fe80::1%25eth0',
    '[::1]',
    '1.2.3.4:80',
    '1.2.3.4/24',
    '127.1',
    '0x7f.0.0.1',
    '010.0.0.1',
    '1.2.3.04',
    '2130706433',
    '1.2.3',
    '1.2.3.4.5',
    '256.0.0.1',
    '-1.0.0.1',
    '1.2.3.4 ',
    ' ::1',
    '::1\n',
    '1::2::3',
    ':::',
    ':1',
    '1:',
    '00001::',
    '1:2:3:4:5:6:7:8:9',
    '::ffff:010.0.0.1',
    '::ffff:0x7f.0.0.1',
    '::ffff:1.2.3',
    '::ffff:256.1.1.1',
    '1.2.3.4::',
    '١.٢.٣.٤',
    '1.2.3.4\0',
    `::${'0'.repeat(60)}`,
  ])
    assert.equal(parseIpAddress(text), undefined, text);
});

test('parseIpAddress agrees with Node on 60,000 made-up texts, and its own answers are canonical', () => {
  let state = 4711;
  const below = (end: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
  const alphabets = [':1.f', ':0123.8', '0123456789abcdefF:.xg ', 'f:.2'];
  let literals = 0;
  for (let round = 0; round < 60_000; round += 1) {
    const alphabet = alphabets[round % alphabets.length] ?? '';
    const text = Array.from({ length: 2 + below(14) }, () => alphabet[below(alphabet.length)]).join('');
    const address = parseIpAddress(text);
    assert.equal(address !== undefined, isIP(text) !== 0, JSON.stringify(text));
    if (address === undefined) continue;
    literals += 1;
    assert.equal(parseIpAddress(address), address, `${text} → ${address}`);
  }
  assert.ok(literals > 200, `${literals} of them were literals`);
});

test('addressKind tells networks apart at their edges', () => {
  for (const [address, kind] of [
    ['10.0.0.0', 'private-ipv4'],
    ['10.255.255.255', 'private-ipv4'],
    ['11.0.0.0', 'public-ipv4'],
    ['172.15.255.255', 'public-ipv4'],
    ['172.16.0.0', 'private-ipv4'],
    ['172.31.255.255', 'private-ipv4'],
    ['172.32.0.0', 'public-ipv4'],
    ['192.168.0.0', 'private-ipv4'],
    ['192.169.0.0', 'public-ipv4'],
    ['100.63.255.255', 'public-ipv4'],
    ['100.64.0.0', 'other-ipv4'],
    ['100.127.255.255', 'other-ipv4'],
    ['100.128.0.0', 'public-ipv4'],
    ['169.254.7.7', 'other-ipv4'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.255', 'loopback'],
    ['0.0.0.0', undefined],
    ['224.0.0.1', undefined],
    ['255.255.255.255', undefined],
    ['8.8.8.8', 'public-ipv4'],
    ['::1', 'loopback'],
    ['::', undefined],
    ['fc00::1', 'unique-local-ipv6'],
    ['fdff::1', 'unique-local-ipv6'],
    ['fe00::1', 'public-ipv6'],
    ['fe80::1', 'link-local-ipv6'],
    ['febf::1', 'link-local-ipv6'],
    ['ff02::1', undefined],
    ['2a00::1', 'public-ipv6'],
  ] as const)
    assert.equal(addressKind(address), kind, address);
});

test('the order of kinds is that of mission C3', () => {
  assert.deepEqual(addressKinds, [
    'private-ipv4',
    'unique-local-ipv6',
    'link-local-ipv6',
    'other-ipv4',
    'public-ipv6',
    'public-ipv4',
  ]);
});

test('networkOf is the address itself for IPv4 and the /64 for IPv6', () => {
  for (const [address, network] of [
    ['203.0.113.9', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ] as const)
    assert.equal(networkOf(address), network, address);
});

test('bracketed puts IPv6 into brackets only', () => {
  assert.equal(bracketed('1.2.3.4'), '1.2.3.4');
  assert.equal(bracketed('::1'), '[::1]');
});

test('IpAddressSchema gives the canonical form and names what is wrong, whatever its type', () => {
  assert.equal(IpAddressSchema.parse('FE80::1'), 'fe80::1');
  for (const value of ['localhost', 5, null, ['::1']])
    assert.equal(
      IpAddressSchema.safeParse(value).error?.issues[0]?.message,
      'is not an IP literal (host names and zone ids are refused)',
    );
});
