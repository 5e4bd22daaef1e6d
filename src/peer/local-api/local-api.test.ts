import assert from 'node:assert/strict';
import { once } from 'node:events';
import { access, readFile, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pino from 'pino';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { LocalApiAccessSchema, localApiAccessFileName, localApiPaths } from '../../wire/local-api.ts';
import { LocalApi } from './local-api.ts';
import { type Answer, ann, status, TestLocalApi } from './testing/test-local-api.ts';

const host = '127.0.0.1';

let local: TestLocalApi;
before(async () => {
  local = await TestLocalApi.open();
});
after(() => local[Symbol.asyncDispose]());

const refusalOf = (answer: Answer): unknown => [answer.status, (answer.json() as { code: string }).code];

test('the local API is told to programs by a file that only the user reads', async () => {
  const file = join(local.folder, localApiAccessFileName);
  const { url, pid, token } = LocalApiAccessSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  assert.deepEqual([url, pid], [local.api.url, process.pid]);
  if (process.platform !== 'win32') assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.ok(token.length >= 43, '256 bits');
});

describe('the local API, to its user,', () => {
  test('answers what the daemon says', async () => {
    assert.deepEqual((await local.askAsUser(localApiPaths.status)).json(), status);
    assert.deepEqual((await local.askAsUser(localApiPaths.peers)).json(), { peers: [ann] });
    assert.deepEqual((await local.askAsUser(localApiPaths.friends)).json(), { friends: [ann] });
    assert.deepEqual((await local.askAsUser(localApiPaths.requests)).json(), { requests: [] });
  });

  test('does what it is asked, with e-mails in canonical form', async () => {
    local.daemon.done.length = 0;
    for (const [method, path, body, code] of [
      ['PUT', `${localApiPaths.friends}/Ann%2Bhome@Example.com`, '{"fingerprint":"ab"}', 200],
      ['PUT', `${localApiPaths.friends}/ann@example.com`, undefined, 200],
      ['DELETE', `${localApiPaths.friends}/ann@example.com`, undefined, 204],
      ['POST', `${localApiPaths.requests}/ann@example.com/accept`, undefined, 200],
      ['POST', `${localApiPaths.requests}/ann@example.com/refuse`, undefined, 204],
      ['PUT', localApiPaths.share, '{"sharing":false}', 200],
      ['GET', `${localApiPaths.files}?peer=ann@example.com&path=a/b&limit=5&after=c`, undefined, 200],
      ['POST', localApiPaths.stop, undefined, 202],
    ] as const) {
      const answer = await local.askAsUser(path, { method, ...(body !== undefined && { body }) });
      assert.equal(answer.status, code, `${method} ${path}: ${answer.text}`);
    }
    assert.deepEqual(local.daemon.done, [
      'add ann+home@example.com {"fingerprint":"ab"}',
      'add ann@example.com {}',
      'remove ann@example.com',
      'accept ann@example.com',
      'refuse ann@example.com',
      'share false',
      'list ann@example.com a/b {"limit":5,"after":"c"}',
      'stop',
    ]);
  });

  test('says what is wrong with a request, by code', async () => {
    for (const [method, path, body, code, failure] of [
      ['GET', '/nothing/here', undefined, 404, 'not_found'],
      ['GET', `${localApiPaths.peers}/nobody`, undefined, 400, 'bad_request'],
      ['GET', `${localApiPaths.peers}/nobody@example.com`, undefined, 404, 'not_found'],
      ['GET', `${localApiPaths.peers}/changed@example.com`, undefined, 409, 'identity_changed'],
      ['GET', `${localApiPaths.peers}/broken@example.com`, undefined, 500, 'failed'],
      ['PUT', localApiPaths.share, '{"sharing":"yes"}', 400, 'bad_request'],
      ['PUT', localApiPaths.share, '{', 400, 'bad_request'],
      ['PUT', localApiPaths.share, undefined, 400, 'bad_request'],
      ['GET', `${localApiPaths.files}?path=a`, undefined, 400, 'bad_request'],
      ['GET', `${localApiPaths.files}?peer=a@b&limit=0`, undefined, 400, 'bad_request'],
      ['GET', `${localApiPaths.files}?peer=a@b&peer=c@d`, undefined, 400, 'bad_request'],
      ['POST', localApiPaths.downloads, '{}', 400, 'bad_request'],
      ['POST', localApiPaths.export, '{}', 400, 'bad_request'],
      ['POST', localApiPaths.export, `{"passphrase":"${'x'.repeat(70_000)}"}`, 413, 'bad_request'],
      ['POST', localApiPaths.status, '{}', 404, 'not_found'],
    ] as const) {
      const answer = await local.askAsUser(path, { method, ...(body !== undefined && { body }) });
      assert.deepEqual(refusalOf(answer), [code, failure], `${method} ${path} ${body?.slice(0, 40)}`);
    }
  });

  test('stops a download whose asker goes away', async () => {
    const outgoing = request({
      host: local.host,
      port: local.port,
      path: localApiPaths.downloads,
      method: 'POST',
      headers: {
        host: `${local.host}:${local.port}`,
        authorization: `Bearer ${local.token}`,
        'content-type': 'application/json',
      },
    });
    outgoing.on('error', () => {});
    outgoing.end(JSON.stringify({ peer: 'ann@example.com', path: '/a', target: '/tmp/a' }));
    const [response] = await once(outgoing, 'response');
    const [line] = await once(response, 'data');
    assert.deepEqual(JSON.parse(String(line)), { event: 'started', path: '/a', total: 10, via: 'direct' });
    outgoing.destroy();
    await local.daemon.aborted;
  });

  test('shows a page that nothing in a name can break out of, and no script can run in', async () => {
    const answer = await local.askAsUser('/');
    assert.equal(answer.status, 200);
    assert.match(String(answer.headers['content-type']), /^text\/html/);
    assert.doesNotMatch(answer.text, /<script|<b>|\u202e/);
    assert.match(answer.text, /\\u\{202e\}&#60;script&#62;/);
    assert.match(
      String(answer.headers['content-security-policy']),
      /default-src 'none'.*frame-ancestors 'none'/,
    );
    assert.match((await local.askAsUser('/style.css')).headers['content-type'] as string, /^text\/css/);
  });

  test('sends the headers that keep other pages out with every answer', async () => {
    for (const answer of [
      await local.askAsUser(localApiPaths.status),
      await local.askAsUser('/nothing/here'),
      await local.ask(localApiPaths.status),
      await local.ask('/', { headers: { host: 'evil.example' } }),
      await local.ask('/%zz'),
    ])
      for (const [name, value] of [
        ['x-content-type-options', 'nosniff'],
        ['cross-origin-resource-policy', 'same-origin'],
        ['cross-origin-opener-policy', 'same-origin'],
        ['referrer-policy', 'no-referrer'],
        ['cache-control', 'no-store'],
      ] as const)
        assert.equal(answer.headers[name], value);
  });
});

describe('the life of the local API', () => {
  const open = (dataFolder: string, port: number): Promise<LocalApi> =>
    LocalApi.open({ port, dataFolder, log: pino({ level: 'silent' }), registerRoutes: () => {} });

  test('takes the next port when one is taken, and its file goes with it', async () => {
    await using folder = await temporaryFolder();
    const other = createServer().listen(0, host);
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const api = await open(folder.path, port);
    assert.ok(Number(new URL(api.url).port) > port);
    const file = join(folder.path, localApiAccessFileName);
    await access(file);
    await api[Symbol.asyncDispose]();
    await assert.rejects(access(file), { code: 'ENOENT' });
    other.close();
  });

  test('is reachable from this machine only', async () => {
    await using folder = await temporaryFolder();
    await using api = await open(folder.path, 0);
    const socket = connect(Number(new URL(api.url).port), '::1');
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    assert.match(String(error.code), /ECONNREFUSED|EADDRNOTAVAIL|EAFNOSUPPORT/);
  });

  test('that cannot write its file leaves nothing listening', async () => {
    await using folder = await temporaryFolder();
    const probe = createServer().listen(0, host);
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, 'close');
    await assert.rejects(open(join(folder.path, 'missing'), port), { code: 'ENOENT' });
    const [error] = (await once(connect(port, host), 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
  });
});
