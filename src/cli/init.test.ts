import assert from 'node:assert/strict';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServerCertificate } from '../identity/create-identity.ts';
import { httpsServer } from '../peer/testing/https-server.ts';
import { temporaryFolder } from '../util/testing/temporary-folder.ts';
import { run } from './main.ts';
import { TestKeyboard, testContext } from './testing/test-context.ts';

test('on a terminal without flags init asks, offers, and shows the words to compare', async () => {
  await using folder = await temporaryFolder();
  const home = join(folder.path, 'home');
  const house = join(folder.path, 'my house');
  const { exitCode, printed } = await converse(home, [
    [/Your e-mail: $/, 'nobody'],
    [/email is not of the form[^]*Your e-mail: $/, 'Me@example.com'],
    [/Relay URL .*: $/, 'http://relay'],
    [/must start with https[^]*Relay URL .*: $/, ''],
    [/Folder to share .*Flashback\]: $/, house],
    [/does not exist\. Make it\? \(Y\/n\): $/, ''],
  ]);
  assert.equal(exitCode, 0);
  assert.match(printed.stdout, /You are me@example\.com now\.[^]*safety words {2}(?:[a-z]+ ){7}[a-z]+\n/);
  assert.ok((await stat(house)).isDirectory());
  assert.deepEqual(await config(home), { email: 'me@example.com', fileRootDirectory: house });
});

test('run again, it offers what is there, and Enter keeps it', async () => {
  await using home = await temporaryFolder();
  const house = join(home.path, 'house');
  await mkdir(house);
  const flags = [
    '--email',
    'me@example.com',
    '--relay',
    `https://relay:1#sha256=${'ab'.repeat(32)}`,
    '--house',
    house,
  ];
  assert.equal(await run(['init', ...flags], testContext({ home: home.path })), 0);
  const before = await config(home.path);
  const { exitCode } = await converse(home.path, [
    [/Relay URL .*\[https:\/\/relay:1#.*\]: $/, ''],
    [/Folder to share .*house\]: $/, ''],
  ]);
  assert.equal(exitCode, 0);
  assert.deepEqual(await config(home.path), before);
});

test('a relay with a certificate of its own is trusted by the fingerprint that is shown, when the person says so', async () => {
  await using home = await temporaryFolder();
  await using relay = await httpsServer(await createServerCertificate(['localhost']), (_request, response) =>
    response.end(),
  );
  const url = `https://127.0.0.1:${relay.port}`;
  const refused = await converse(home.path, [
    [/Your e-mail: $/, 'me@example.com'],
    [/Relay URL .*: $/, url],
    [/fingerprint is\n {4}[0-9a-f]{64}\n.*told you\? \(y\/N\): $/, ''],
  ]);
  assert.equal(refused.exitCode, 2);
  await assert.rejects(config(home.path), { code: 'ENOENT' });
  await mkdir(join(home.path, 'house'));
  const trusted = await converse(home.path, [
    [/Your e-mail: $/, 'me@example.com'],
    [/Relay URL .*: $/, url],
    [/told you\? \(y\/N\): $/, 'y'],
    [/Folder to share .*: $/, 'house'],
  ]);
  assert.equal(trusted.exitCode, 0);
  assert.match(JSON.stringify(await config(home.path)), new RegExp(`"${url}#sha256=[0-9a-f]{64}"`));
  assert.deepEqual(relay.requests, []);
});

test('Ctrl-C in the middle leaves nothing behind, and exits with 130', async () => {
  await using home = await temporaryFolder();
  const { exitCode } = await converse(home.path, [
    [/Your e-mail: $/, 'me@example.com'],
    [/Relay URL .*: $/, '\u0003'],
  ]);
  assert.equal(exitCode, 130);
  await assert.rejects(config(home.path), { code: 'ENOENT' });
});

test('for scripts init never asks, and prints one line', async () => {
  await using home = await temporaryFolder();
  const keyboard = new TestKeyboard();
  const asking = testContext({ home: home.path, stdin: keyboard, isTerminal: true });
  assert.equal(await run(['init', '--json'], asking), 2);
  const context = testContext({ home: home.path });
  assert.equal(await run(['init', '--email', 'me@example.com', '--json'], context), 0);
  const line: unknown = JSON.parse(context.printed.stdout);
  assert.ok(
    typeof line === 'object' && line !== null && 'event' in line && 'email' in line && 'fingerprint' in line,
  );
  assert.deepEqual([line.event, line.email], ['initialized', 'me@example.com']);
  assert.match(String(line.fingerprint), /^[0-9a-f]{64}$/);
});

/** Types each answer when its question stands at the end of what was printed. */
async function converse(
  home: string,
  dialogue: readonly (readonly [question: RegExp, answer: string])[],
): Promise<{ exitCode: number; printed: { stdout: string; stderr: string } }> {
  const keyboard = new TestKeyboard();
  const context = testContext({ home, stdin: keyboard, isTerminal: true, columns: 400 });
  let exitCode: number | undefined;
  const ended = run(['init'], context).then((code) => {
    exitCode = code;
  });
  let answered = 0;
  for (const [question, answer] of dialogue) {
    const asked = (): string => context.printed.stderr.slice(answered).replaceAll(/\u001b\[[0-9]*[A-Z]/g, '');
    while (!question.test(asked())) {
      assert.equal(exitCode, undefined, `it ended and did not ask ${question}: ${context.printed.stderr}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    answered = context.printed.stderr.length;
    keyboard.write(`${answer}\r`);
  }
  await ended;
  assert.ok(exitCode !== undefined);
  return { exitCode, printed: context.printed };
}

async function config(home: string): Promise<unknown> {
  return JSON.parse(await readFile(join(home, 'config.json'), 'utf8'));
}
