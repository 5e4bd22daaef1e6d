import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { opensslIdentity, opensslObstacle } from '../../identity/testing/openssl.ts';
import { relayPaths } from '../../wire/relay-http.ts';
import { TestRelay } from '../testing/relay-fixture.ts';
import { headerText, RefusalTable, sqlText } from './testing/refusal-table.ts';

const ask = `POST ${relayPaths.register}`;
const noBody = 'body is empty, expected JSON';
const noJson = 'body is not valid JSON';
const noObject = 'body must be a JSON object';
const noForm = 'email is not of the form name@host';
const noAscii = 'email may hold printable ASCII characters only';
const noPem = 'certificate must be PEM with exactly one certificate';
const taken = 'this email is registered with another certificate';
const email254 = `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;

describe('a registration that is refused', () => {
  const table = new RefusalTable();

  table.bodies({ as: 'nobody', ask, status: 400 }, [
    ['no body', undefined, noBody],
    ['an empty body', '', noBody],
    ['malformed JSON', '{"email":', noJson],
    ['JSON and more after it', '{} {}', noJson],
    ['a byte order mark', '\ufeff{}', noJson],
    ['a form', 'email=a@b', noJson],
    ['an array', [], noObject],
    ['null', 'null', noObject],
    ['a number', '5', noObject],
    ['no fields', {}, 'email is missing; certificate is missing'],
    ['no certificate', { email: 'a@b' }, 'certificate is missing'],
    ['no e-mail', { certificate: 'x' }, 'email is missing'],
  ]);

  table.bodies(
    { as: 'nobody', ask, status: 400 },
    (
      [
        ['a number', 5, 'email must be a string'],
        ['null', null, 'email must be a string'],
        ['an array', ['me@example.com'], 'email must be a string'],
        ['an object', { $ne: '' }, 'email must be a string'],
        ['empty', '', 'email is empty'],
        ['no host', 'me', noForm],
        ['255 characters', `${email254}d`, 'email has 255 characters, the limit is 254'],
        ['not ASCII', 'mé@example.com', noAscii],
        ['a blank', 'm e@example.com', noAscii],
        ['SQL', sqlText, noAscii],
        ['SQL without blanks', "';drop/**/table/**/clients;--@b", noForm],
        ['a header', `me@example.com${headerText}`, noAscii],
        ['a NUL', 'me@example.com\0', noAscii],
      ] as const
    ).map(([what, email, error]) => [
      `e-mail: ${what}`,
      ({ me }) => ({ email, certificate: me.certificatePem }),
      error,
    ]),
  );

  table.bodies({ as: 'nobody', ask, status: 400 }, [
    [
      'certificate: a number',
      { email: 'a@b', certificate: 5 },
      'certificate must be a string holding a PEM certificate',
    ],
    ['certificate: empty', { email: 'a@b', certificate: '' }, 'certificate is empty'],
    ['certificate: no PEM', { email: 'a@b', certificate: 'hello' }, noPem],
    ['certificate: SQL', { email: 'a@b', certificate: sqlText }, noPem],
    ['certificate: a header', { email: 'a@b', certificate: headerText }, noPem],
    [
      'certificate: 8193 characters',
      { email: 'a@b', certificate: 'x'.repeat(8193) },
      'certificate is longer than 8192 characters',
    ],
    [
      'certificate: broken PEM',
      ({ me }) => ({ email: 'me@example.com', certificate: me.certificatePem.replace('MII', 'XII') }),
      'certificate is not a readable X.509 certificate',
    ],
    [
      'certificate: two in one',
      ({ me, ann }) => ({ email: 'me@example.com', certificate: me.certificatePem + ann.certificatePem }),
      noPem,
    ],
    [
      'certificate: a private key instead',
      ({ me }) => ({ email: 'me@example.com', certificate: me.keyPem }),
      noPem,
    ],
    [
      'certificate: of another CN',
      ({ me }) => ({ email: 'ann@example.com', certificate: me.certificatePem }),
      'the CN of the certificate is not the email that is registered',
    ],
    [
      'certificate: expired',
      ({ old }) => ({ email: 'old@example.com', certificate: old.certificatePem }),
      'certificate expired at 2001-01-01T00:00:00.000Z',
    ],
    [
      'certificate: not valid yet',
      ({ soon }) => ({ email: 'soon@example.com', certificate: soon.certificatePem }),
      'certificate is not valid before 2100-01-01T00:00:00.000Z: check the clocks',
    ],
  ]);

  for (const as of ['nobody', 'unregistered', 'ann', 'expired'] as const) {
    table.bodies({ as, ask, status: 409 }, [
      [
        `an e-mail of another's, asked by ${as}`,
        ({ impostor }) => ({ email: 'me@example.com', certificate: impostor.certificatePem }),
        taken,
      ],
      [
        `an e-mail of another's in upper case, asked by ${as}`,
        ({ impostor }) => ({ email: 'ME@EXAMPLE.COM', certificate: impostor.certificatePem }),
        taken,
      ],
    ]);
  }

  table.bodies({ as: 'nobody', ask, status: 413 }, [
    ['one byte over the limit', ' '.repeat(65_537), 'body is longer than 65536 bytes'],
    ['a megabyte', 'x'.repeat(1_000_000), 'body is longer than 65536 bytes'],
  ]);

  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'])
    table.bodies({ as: 'nobody', ask: `${method} ${relayPaths.register}`, status: 405 }, [
      ['another method', method === 'PUT' ? 'no JSON' : undefined, 'this path takes POST only'],
    ]);
});

describe('a registration with a certificate of OpenSSL that is refused', { skip: opensslObstacle }, () => {
  for (const [what, subject, newKey, error] of [
    ['two CNs', '/CN=me@b/CN=me@b', 'rsa:2048', 'certificate must have exactly one CN, the e-mail'],
    ['no CN', '/O=Home', 'rsa:2048', 'certificate must have exactly one CN, the e-mail'],
    ['a CN that is no e-mail', '/CN=me', 'rsa:2048', `certificate CN is not an e-mail: ${noForm}`],
    ['a short key', '/CN=me@b', 'rsa:1024', 'certificate has an RSA key of 1024 bits, expected 2048 to 8192'],
  ] as const) {
    test(`${what} → 400 ${error}`, async () => {
      await using relay = await TestRelay.start();
      const identity = await opensslIdentity(subject, ['-newkey', newKey]);
      const answer = await relay.register(identity, 'me@b');
      assert.deepEqual([answer.status, answer.json()], [400, { error }]);
    });
  }
});
