/** The published commands, run by a shell exactly as they stand: only host and port are the test's own. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { opensslObstacle } from '../../identity/testing/openssl.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { TestRelay } from '../testing/relay-fixture.ts';

const curlObstacle = spawnSync('curl', ['--version']).status === 0 ? false : '`curl` is not installed';

const openssl =
  'openssl req -x509 -newkey rsa:2048 -keyout client.key -out client.crt -days 365 -nodes -subj "/CN=test@example.com"';
const register = `curl -k -X POST https://localhost:3000/api/relay/register -H "Content-Type: application/json" -d '{"email":"test@example.com","certificate":"<PEM with \\n>"}'`;
const ready = `curl -k --cert client.crt --key client.key -X POST https://localhost:3000/api/relay/broadcast/ready -H "Content-Type: application/json" -d '{"port":54321,"addresses":["192.168.1.50"]}'`;
const lookup =
  'curl -k --cert client.crt --key client.key "https://localhost:3000/api/relay/broadcast/lookup?email=test@example.com"';
const list = 'curl -k --cert client.crt --key client.key https://localhost:3000/api/relay/broadcast/list';

describe('the published tracker commands', { skip: opensslObstacle || curlObstacle }, () => {
  test('work from the first to the last', async () => {
    await using relay = await TestRelay.start({ host: 'localhost' });
    await using folder = await temporaryFolder();
    const run = async (command: string): Promise<string> => {
      const here = command.replace('localhost:3000', `localhost:${relay.port}`);
      const { stdout } = await promisify(execFile)('sh', ['-c', here], { cwd: folder.path });
      return stdout;
    };
    await run(openssl);
    const pem = (await run('awk \'{printf "%s\\\\n", $0}\' client.crt')).trim();
    assert.match(await run(register.replace('<PEM with \\n>', pem)), /^\{"client_id":"[0-9a-f-]{36}"\}$/);
    assert.match(await run(ready), /^\{"broadcast_id":"[0-9a-f-]{36}","expires_in":3600\}$/);
    const found = JSON.parse(await run(lookup)) as Record<string, unknown>;
    const { last_seen: lastSeen, observed_address: observed, ...rest } = found;
    assert.deepEqual(rest, {
      email: 'test@example.com',
      port: 54_321,
      addresses: ['192.168.1.50'],
      capabilities: [],
    });
    assert.match(String(lastSeen), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.match(String(observed), /^(127\.0\.0\.1|::1)$/);
    assert.equal(await run(list), '[]');
    assert.equal(
      await run(register.replace('<PEM with \\n>', 'x')),
      '{"error":"certificate must be PEM with exactly one certificate"}',
    );
  });

  test('say in words that plain http:// is the wrong way in', async () => {
    await using relay = await TestRelay.start();
    const { stdout } = await promisify(execFile)('curl', ['-s', `http://127.0.0.1:${relay.port}/health`]);
    assert.match(stdout, /^This port speaks HTTPS: use https:\/\//);
  });
});
