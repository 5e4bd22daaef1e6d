/** `docs/protocol/tracker.md` is for those who write a client: what it says is run and compared. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { opensslObstacle } from '../../identity/testing/openssl.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { emailCharactersMax } from '../../wire/email.ts';
import {
  broadcastAddressesMax,
  broadcastCapabilitiesMax,
  broadcastFriendsMax,
  capabilityCharactersMax,
  certificatePemCharactersMax,
  listPageMax,
  relayPaths,
  requestBodyBytesMax,
} from '../../wire/relay-http.ts';
import { relayPortDefault } from '../../wire/relay-url.ts';
import { perNetworkMaxDefault } from '../server/open-connections.ts';
import { rateLimitDefaults } from '../server/rate-limits.ts';
import { connectionsMaxDefault, listenerTimeouts } from '../server/tls-listener.ts';
import { TestRelay } from '../testing/relay-fixture.ts';
import { broadcastLifetimeMsDefault, certificatesPerAccountMax } from './tracker.ts';

const obstacle =
  opensslObstacle || (spawnSync('curl', ['-V']).error !== undefined && '`curl` is not installed');
const run = promisify(execFile);

describe('the protocol document', () => {
  let text: string;
  before(async () => {
    text = await readFile(new URL('../../../docs/protocol/tracker.md', import.meta.url), 'utf8');
  });

  test('names every path', () => {
    for (const path of [...Object.values(relayPaths), '/health', '/ready', '/api/openapi.json'])
      assert.ok(text.includes(path), path);
  });

  test('names the limits that the code has', () => {
    const { clientBurst, clientPerSecond, addressPerMinute, takenPerHour } = rateLimitDefaults;
    const { handshakeMs, headersMs, requestMs, keepAliveMs, stallMs } = listenerTimeouts;
    for (const sentence of [
      `one port (default ${relayPortDefault})`,
      `at most ${certificatePemCharactersMax} characters`,
      `at most ${emailCharactersMax} characters`,
      `at most ${broadcastAddressesMax} IP literals`,
      `at most ${broadcastCapabilitiesMax} names of 1 to ${capabilityCharactersMax} printable`,
      `at most ${broadcastFriendsMax} e-mails`,
      `a page of 1 to ${listPageMax}`,
      `body is longer than ${requestBodyBytesMax} bytes`,
      `An account has at most ${certificatesPerAccountMax}.`,
      `(${broadcastLifetimeMsDefault / 1000} unless the operator chose otherwise)`,
      `${clientBurst} at once, then ${clientPerSecond} a second`,
      `${addressPerMinute} a minute for one network`,
      `${takenPerHour} an hour for one network`,
      `${takenPerHour} of them an hour for one network`,
      `${connectionsMaxDefault}, of them ${perNetworkMaxDefault} for one network`,
      `| TLS handshake | ${handshakeMs / 1000} s |`,
      `${headersMs / 1000} s, ${requestMs / 1000} s (\`408\`)`,
      `kept open for ${keepAliveMs / 1000} seconds`,
      `that is not taken | ${stallMs / 1000} s |`,
    ])
      assert.ok(text.includes(sentence), sentence);
  });

  test('has a session by curl that goes as it says', { skip: obstacle }, async () => {
    await using relay = await TestRelay.start();
    await using folder = await temporaryFolder();
    const [, session = ''] = /```sh\n([^]*?)```/.exec(text.slice(text.indexOf('## A session'))) ?? [];
    const statuses = [...session.matchAll(/# (\d{3})$/gm)].map(([, status]) => status);
    assert.equal(statuses.length, 8);
    const script = `curl() { command curl -s -o /dev/null -w '%{http_code}\\n' "$@"; }\n${session}`;
    const env = { ...process.env, RELAY: `https://127.0.0.1:${relay.port}` };
    const { stdout } = await run('sh', ['-ec', script], { cwd: folder.path, env });
    assert.deepEqual(stdout.trim().split('\n'), statuses);
  });

  test('has a command that prints what the URL carries', { skip: obstacle }, async () => {
    await using relay = await TestRelay.start();
    const [command] = /^openssl s_client .*$/m.exec(text) ?? [];
    assert.ok(command);
    const { stdout } = await run('sh', ['-c', command.replace('host:port', `127.0.0.1:${relay.port}`)]);
    assert.equal(stdout.slice(0, 64), relay.relay.fingerprint);
  });
});
