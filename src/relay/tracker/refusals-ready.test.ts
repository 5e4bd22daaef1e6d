import { describe } from 'node:test';
import { relayPaths } from '../../wire/relay-http.ts';
import { headerText, RefusalTable, sqlText } from './testing/refusal-table.ts';

const ask = `POST ${relayPaths.ready}`;
const place = { port: 4711, addresses: ['192.168.1.50'] };
const badPort = 'port must be an integer from 1 to 65535';
const badAddresses = 'addresses must be an array of IP literals';
const badAddress = 'addresses.1 is not an IP literal (host names and zone ids are refused)';
const badCapability = 'capabilities.0 must be 1 to 64 printable ASCII characters';
const badAnnounce = 'announce must be "all", "friends" or "none"';

describe('a broadcast that is refused', () => {
  const table = new RefusalTable();

  table.bodies({ as: 'me', ask, status: 400 }, [
    ['no body', undefined, 'body is empty, expected JSON'],
    ['malformed JSON', '{"port":', 'body is not valid JSON'],
    ['an array', [place], 'body must be a JSON object'],
    ['no fields', {}, 'port is missing; addresses is missing'],
    ['no port', { addresses: [] }, 'port is missing'],
    ['port 1e999', '{"port":1e999,"addresses":[]}', badPort],
    ...[0, 65_536, -1, '80', 1.5, null, true, [80], sqlText, headerText].map(
      (port) => [`port ${JSON.stringify(port)}`, { ...place, port }, badPort] as const,
    ),
    ['no addresses', { port: 4711 }, 'addresses is missing'],
    ['addresses: a string', { ...place, addresses: '10.0.0.1' }, badAddresses],
    ['addresses: an object', { ...place, addresses: { 0: '10.0.0.1' } }, badAddresses],
    ['17 addresses', { ...place, addresses: Array(17).fill('::1') }, 'addresses holds more than 16 entries'],
    ...[
      'localhost',
      'example.com',
      'fe80::1%eth0',
      'fe80::1%25eth0',
      '[::1]',
      '10.0.0.1:80',
      '010.0.0.1',
      '127.1',
      '0x7f.0.0.1',
      '::ffff:0x7f.0.0.1',
      '10.0.0.1/8',
      ' 10.0.0.1',
      '10.0.0.1\0',
      '',
      sqlText,
      headerText,
      5,
      null,
    ].map(
      (address) =>
        [
          `address ${JSON.stringify(address)}`,
          { ...place, addresses: ['10.0.0.1', address] },
          badAddress,
        ] as const,
    ),
    [
      'capabilities: a string',
      { ...place, capabilities: 'link/1' },
      'capabilities must be an array of strings',
    ],
    [
      '33 capabilities',
      { ...place, capabilities: Array(33).fill('x') },
      'capabilities holds more than 32 entries',
    ],
    ...['', 'x'.repeat(65), 'a b', 'a\0b', 'ä', '\ud800', sqlText, headerText, 5].map(
      (name) =>
        [`capability ${JSON.stringify(name)}`, { ...place, capabilities: [name] }, badCapability] as const,
    ),
    ...['everyone', 'ALL', '', null, 5, sqlText, headerText].map(
      (announce) => [`announce ${JSON.stringify(announce)}`, { ...place, announce }, badAnnounce] as const,
    ),
    ['friends: a string', { ...place, friends: 'ann@b' }, 'friends must be an array of e-mails'],
    ['501 friends', { ...place, friends: Array(501).fill('a@b') }, 'friends holds more than 500 entries'],
    ['a friend without host', { ...place, friends: ['ann'] }, 'friends.0 email is not of the form name@host'],
    ...[sqlText, headerText, 'änn@b'].map(
      (friend) =>
        [
          `friend ${JSON.stringify(friend)}`,
          { ...place, friends: [friend] },
          'friends.0 email may hold printable ASCII characters only',
        ] as const,
    ),
  ]);

  table.bodies({ as: 'me', ask, status: 413 }, [
    ['one byte over the limit', ' '.repeat(65_537), 'body is longer than 65536 bytes'],
    ['a megabyte', 'x'.repeat(1_000_000), 'body is longer than 65536 bytes'],
  ]);

  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS'])
    table.bodies({ as: 'me', ask: `${method} ${relayPaths.ready}`, status: 405 }, [
      ['another method', undefined, 'this path takes POST only'],
    ]);

  for (const method of ['GET', 'POST', 'PUT'])
    table.bodies({ as: 'me', ask: `${method} ${relayPaths.broadcast}`, status: 405 }, [
      ['withdrawing by another method', undefined, 'this path takes DELETE only'],
    ]);

  table.bodies({ as: 'me', ask: 'POST /api/relay/broadcast/heartbeat', status: 404 }, [
    ['a heartbeat, which there is not', place, 'there is nothing at this path'],
  ]);
});
