import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { localApiPaths } from '../../wire/local-api.ts';
import { type Answer, TestLocalApi } from './testing/test-local-api.ts';

let local: TestLocalApi;
before(async () => {
  local = await TestLocalApi.open();
});
after(() => local[Symbol.asyncDispose]());

const refusalOf = (answer: Answer): unknown => [answer.status, (answer.json() as { code: string }).code];

const everyPath = [
  ...Object.values(localApiPaths),
  '/',
  '/style.css',
  `${localApiPaths.peers}/ann@example.com`,
  '/nothing/here',
  '//',
];

describe('the local API lets nobody in', () => {
  test('without the token, on any path and by any method, there or not', async () => {
    for (const path of everyPath)
      for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
        const answer = await local.ask(path, { method });
        assert.equal(answer.status, 401, `${method} ${path}`);
        assert.equal(answer.headers['access-control-allow-origin'], undefined);
      }
    assert.deepEqual(local.daemon.done, []);
  });

  test('with another token, or the right one written in another way', async () => {
    for (const authorization of [
      'Bearer wrong',
      `Bearer ${local.token}x`,
      `Bearer ${local.token.slice(1)}`,
      `Bearer  ${local.token} `,
      `Basic ${Buffer.from(`:${local.token}`).toString('base64')}`,
      local.token,
      'Bearer ',
      `Bearer ${'x'.repeat(10_000)}`,
    ])
      assert.equal(
        (await local.ask(localApiPaths.status, { headers: { authorization } })).status,
        401,
        authorization,
      );
  });

  test('with a cookie of another port, another value, or the token in its place', async () => {
    const session = await local.session();
    for (const cookie of [
      session.replace(`flashback-${local.port}`, `flashback-${local.port + 1}`),
      session.replace(`flashback-${local.port}`, 'flashback'),
      `${session}x`,
      session.slice(0, -1),
      `flashback-${local.port}=${local.token}`,
      `flashback-${local.port}=`,
      `flashback-${local.port}`,
      `x${session}`,
    ])
      assert.equal((await local.ask(localApiPaths.status, { headers: { cookie } })).status, 401, cookie);
  });

  test('under a name that is not ours, whatever is shown (DNS rebinding)', async () => {
    for (const name of [
      'evil.example',
      `evil.example:${local.port}`,
      `127.0.0.1.evil.example:${local.port}`,
      '127.0.0.1',
      `127.0.0.1:${local.port + 1}`,
      `127.0.0.2:${local.port}`,
      `0.0.0.0:${local.port}`,
      `user@127.0.0.1:${local.port}`,
      `127.0.0.1:${local.port}.`,
    ]) {
      const answer = await local.askAsUser(localApiPaths.status, { headers: { host: name } });
      assert.deepEqual(refusalOf(answer), [403, 'refused'], name);
    }
    for (const name of [`127.0.0.1:${local.port}`, `localhost:${local.port}`, `[::1]:${local.port}`])
      assert.equal(
        (await local.askAsUser(localApiPaths.status, { headers: { host: name } })).status,
        200,
        name,
      );
  });

  test('for another page, whatever is shown', async () => {
    const cookie = await local.session();
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `http://127.0.0.1:${local.port + 1}` },
      { origin: `https://127.0.0.1:${local.port}` },
      { origin: `http://localhost:${local.port}` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'SAME-ORIGIN' },
      { 'sec-fetch-site': '' },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    ]) {
      for (const path of [
        '/',
        localApiPaths.status,
        new URL(local.api.oneTimeLink()).pathname,
        '/nothing/here',
      ])
        assert.equal(
          (await local.ask(path, { headers: { ...headers, cookie } })).status,
          403,
          JSON.stringify(headers),
        );
      assert.equal((await local.askAsUser(localApiPaths.status, { headers })).status, 403);
    }
    for (const headers of [
      { origin: `http://127.0.0.1:${local.port}`, 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none' },
    ])
      assert.equal((await local.ask(localApiPaths.status, { headers: { ...headers, cookie } })).status, 200);
  });

  test('by a preflight: no other page is ever allowed anything', async () => {
    const answer = await local.ask(localApiPaths.status, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'GET' },
    });
    assert.equal(answer.status, 403);
    assert.deepEqual(
      Object.keys(answer.headers).filter((name) => name.startsWith('access-control')),
      [],
    );
  });

  test('by an upgrade to WebSocket, with the token or without', async () => {
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'x',
      'sec-websocket-version': '13',
    };
    for (const path of ['/', '/ws', localApiPaths.status]) {
      assert.equal((await local.ask(path, { headers: upgrade })).status, 401);
      assert.equal(
        (await local.ask(path, { headers: { ...upgrade, origin: 'https://evil.example' } })).status,
        403,
      );
    }
    const asUser = await local.askAsUser(localApiPaths.status, { headers: upgrade });
    assert.equal(asUser.status, 200, 'an ordinary answer');
  });

  test('by a path that cannot be read, or bytes that are no HTTP', async () => {
    const answer = await local.ask('/%zz', { headers: { host: 'evil.example' } });
    assert.deepEqual(
      [answer.status, answer.json()],
      [400, { error: 'the path cannot be read', code: 'bad_request' }],
    );
    for (const bytes of [
      'GET / HTTP/1.0\r\n\r\n',
      '\u0016\u0003\u0001\u0002\u0000',
      'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n',
    ]) {
      const socket = connect(local.port, local.host);
      socket.end(bytes);
      let text = '';
      for await (const chunk of socket as AsyncIterable<Buffer>) text += chunk.toString();
      assert.doesNotMatch(text, /HTTP\/1\.1 2|example\.com/);
    }
  });
});

describe('a one-time link', () => {
  test('gives the browser that opens it first a session, and leads to the page', async () => {
    const link = new URL(local.api.oneTimeLink());
    assert.equal(link.origin, local.api.url);
    const answer = await local.ask(link.pathname + link.search, { headers: { 'sec-fetch-site': 'none' } });
    assert.deepEqual([answer.status, answer.headers['location']], [303, '/']);
    assert.match(
      String(answer.headers['set-cookie']),
      new RegExp(`^flashback-${local.port}=[A-Za-z0-9_-]{43}; HttpOnly; SameSite=Strict; Path=/$`),
    );
    const cookie = String(answer.headers['set-cookie']).split(';')[0] ?? '';
    assert.equal((await local.ask('/', { headers: { cookie } })).status, 200);
    assert.equal(
      (await local.ask(localApiPaths.status, { headers: { cookie: `other=1; ${cookie}; more=2` } })).status,
      200,
    );
  });

  test('works beside a cookie of the same name that somebody else has set', async () => {
    const cookie = `flashback-${local.port}=planted; ${await local.session()}`;
    assert.equal((await local.ask(localApiPaths.status, { headers: { cookie } })).status, 200);
  });

  test('works once, and says so the second time', async () => {
    const { pathname, search } = new URL(local.api.oneTimeLink());
    assert.equal((await local.ask(pathname + search)).status, 303);
    const again = await local.ask(pathname + search);
    assert.deepEqual([again.status, again.headers['set-cookie']], [410, undefined]);
    assert.match(again.text, /used already/);
  });

  test('works for one of many who open it at once', async () => {
    const { pathname, search } = new URL(local.api.oneTimeLink());
    const answers = await Promise.all(Array.from({ length: 10 }, () => local.ask(pathname + search)));
    assert.equal(answers.filter(({ status: code }) => code === 303).length, 1);
  });

  test('cannot be guessed, left empty or given twice', async () => {
    for (const [path, code] of [
      ['/open?key=guess', 410],
      [`/open?key=${local.token}`, 410],
      ['/open?key=', 410],
      ['/open', 400],
      ['/open?key=a&key=b', 400],
    ] as const) {
      const answer = await local.ask(path);
      assert.deepEqual([answer.status, answer.headers['set-cookie']], [code, undefined], path);
    }
  });

  test('stays good until it is opened, however often it was shown, and then another one is', async () => {
    const shown = Array.from({ length: 100 }, () => local.api.oneTimeLink());
    assert.equal(new Set(shown).size, 1);
    const { pathname, search } = new URL(local.api.oneTimeLink());
    assert.equal((await local.ask(pathname + search)).status, 303);
    assert.equal((await local.ask(pathname + search)).status, 410);
    assert.notEqual(local.api.oneTimeLink(), shown[0]);
  });
});
