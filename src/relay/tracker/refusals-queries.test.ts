import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { relayPaths } from '../../wire/relay-http.ts';
import { headerText, RefusalTable, sqlText } from './testing/refusal-table.ts';

const { lookup, list, certificate, ready, broadcast } = relayPaths;
const noForm = 'email is not of the form name@host';
const noAscii = 'email may hold printable ASCII characters only';
const nothing = 'there is nothing at this path';
const tooLong = 'the path and the headers are too long together';
const email254 = `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;

describe('a question that is refused', () => {
  const table = new RefusalTable();

  for (const [as, error] of [
    ['nobody', 'a client certificate is required'],
    ['unregistered', 'the client certificate is not registered'],
    ['impostor', 'the client certificate is not registered'],
    ['expired', 'the client certificate has expired'],
  ] as const) {
    table.paths({ as, ask: 'GET ', status: 401 }, [
      [`${as} looks somebody up`, `${lookup}?email=me@example.com`, error],
      [`${as} looks nobody up`, lookup, error],
      [`${as} lists`, list, error],
      [`${as} lists with a bad limit`, `${list}?limit=x`, error],
      [`${as} reads certificates`, `${certificate}?email=me@example.com`, error],
      [`${as} reads nobody's certificates`, certificate, error],
    ]);
    table.bodies({ as, ask: `POST ${ready}`, status: 401 }, [
      [`${as} announces`, { port: 4711, addresses: [] }, error],
      [`${as} announces what is no JSON`, '{{', error],
    ]);
    table.bodies({ as, ask: `DELETE ${broadcast}`, status: 401 }, [[`${as} withdraws`, undefined, error]]);
  }

  for (const [path, unknown] of [
    [lookup, 'no such peer is announced'],
    [certificate, 'no such client is registered'],
  ] as const) {
    table.paths({ as: 'me', ask: `GET ${path}`, status: 400 }, [
      ['no e-mail', '', 'email is missing'],
      ['an empty e-mail', '?email=', 'email is missing'],
      ['another parameter', '?mail=a@b', 'email is missing'],
      ['no host', '?email=ann', noForm],
      ['255 characters', `?email=${email254}d`, 'email has 255 characters, the limit is 254'],
      ['not ASCII', '?email=m%C3%A9@example.com', noAscii],
      ['a NUL', '?email=a%00@b', noAscii],
      ['SQL', `?email=${encodeURIComponent(sqlText)}`, noForm],
      ['a header', `?email=${encodeURIComponent(headerText)}`, noAscii],
    ]);
    table.paths({ as: 'me', ask: `GET ${path}`, status: 404 }, [
      ['an unknown e-mail', '?email=who@example.com', unknown],
      ['an unknown e-mail of 254 characters', `?email=${email254}`, unknown],
      ['an escape that is none', '?email=%zz@b', unknown],
    ]);
    table.bodies({ as: 'me', ask: `POST ${path}`, status: 405 }, [
      ['another method, with a body that is no JSON', '{{', 'this path takes GET only'],
    ]);
    for (const method of ['POST', 'PUT', 'DELETE', 'PROPFIND'])
      table.paths({ as: 'me', ask: `${method} ${path}`, status: 405 }, [
        ['another method', '?email=a@b', 'this path takes GET only'],
      ]);
  }

  table.paths(
    { as: 'me', ask: `GET ${list}?limit=`, status: 400 },
    ['', '0', '-1', '10001', '1.5', '1e3', 'x', '%205', '9999999', sqlText, headerText].map((limit) => [
      `limit ${JSON.stringify(limit)}`,
      limit.startsWith('%') ? limit : encodeURIComponent(limit),
      'limit must be an integer from 1 to 10000',
    ]),
  );
  table.paths({ as: 'me', ask: `POST ${list}`, status: 405 }, [
    ['another method', '', 'this path takes GET only'],
  ]);

  table.paths({ as: 'me', ask: 'GET ', status: 404 }, [
    ['the root', '/', nothing],
    ['another path', '/api/relay/other', nothing],
    ['other letters', '/API/relay/broadcast/list', nothing],
    ['a slash at the end', `${list}/`, nothing],
    ['two slashes at the beginning', `/${list}`, nothing],
    ['two slashes within', '/api//relay/broadcast/list', nothing],
    ['dots', '/api/relay/x/../broadcast/list', nothing],
    ['an encoded slash', '/api/relay%2Fbroadcast/list', nothing],
    ['NULs', `/${'%00'.repeat(100)}`, nothing],
    ['1,000 segments', '/a'.repeat(1000), nothing],
  ]);
  table.paths({ as: 'me', ask: 'GET ', status: 400 }, [
    ['an escape in the path that is none', '/api/%zz', 'the path cannot be read'],
  ]);
  table.paths({ as: 'me', ask: 'GET ', status: 431 }, [
    ['a path of 64 KB', `/${'x'.repeat(65_000)}`, tooLong],
    ['a query of 64 KB', `${lookup}?email=${'x'.repeat(65_000)}`, tooLong],
  ]);

  test('headers of 64 KB → 431', async () => {
    const headers = { 'x-long': 'x'.repeat(65_000) };
    const answer = await table.relay.ask(table.certificates.me, list, { headers });
    assert.deepEqual([answer.status, answer.json()], [431, { error: tooLong }]);
  });

  test('HEAD of each path that takes GET → 405 without a body', async () => {
    for (const path of [lookup, list, certificate, '/health', '/ready']) {
      const answer = await table.relay.ask(table.certificates.me, path, { method: 'HEAD' });
      assert.deepEqual([answer.status, answer.text, answer.headers['allow']], [405, '', 'GET'], path);
    }
  });
});
