import assert from 'node:assert/strict';
import { test } from 'node:test';
import { programVersion } from '../util/version.ts';
import { run } from './main.ts';
import { testContext } from './testing/test-context.ts';
import { verbs } from './verbs.ts';

const wrong: readonly (readonly [argv: readonly string[], said: RegExp])[] = [
  [['staus'], /unknown command 'staus'[^]*Did you mean status\?/],
  [['ls'], /missing required argument 'place'/],
  [['ls', 'anna@example.com', 'extra'], /too many arguments/],
  [['ls', '--jsn', 'anna@example.com'], /unknown option '--jsn'[^]*--json/],
  [['ls', 'not-a-place'], /is not a place in a house/],
  [['get', 'anna@example.com:/'], /is a whole house[^]*-r/],
  [['get', 'anna@example.com:/a', '-o'], /argument missing/],
  [['friends', 'ad', 'anna@example.com'], /add/],
  [['friends', 'add', 'anna'], /is not an e-mail/],
  [['share', 'maybe'], /on, off, status/],
  [['config', 'set', 'polcy', 'x'], /did you mean "policy"/],
  [['config', 'set', 'policy', 'everybody'], /policy is everybody, which cannot be used/],
  [['up', '--port', 'http'], /--port is http/],
  [['relay', '--port', 'http'], /--port is "http"/],
  [['init'], /give --email/],
  [['completion', 'tcsh'], /unknown command|too many/],
];

for (const [argv, said] of wrong)
  test(`"flashback ${argv.join(' ')}" is wrong usage and says why, to people and to scripts`, async () => {
    const people = testContext();
    assert.equal(await run(argv, people), 2);
    assert.match(people.printed.stderr, said);
    assert.equal(people.printed.stdout, '');
    const scripts = testContext();
    if (argv[0] === 'completion') return;
    assert.equal(await run([argv[0] ?? '', '--json', ...argv.slice(1)], scripts), 2);
    const lines = scripts.printed.stderr.trim().split('\n');
    assert.equal(lines.length, 1, scripts.printed.stderr);
    const line: unknown = JSON.parse(lines[0] ?? '');
    assert.ok(typeof line === 'object' && line !== null && 'event' in line && 'code' in line);
    assert.deepEqual(
      [line.event, line.code],
      ['error', 'usage'].includes(String(line.code)) ? ['error', 'usage'] : ['error', 'invalid_settings'],
    );
  });

test('the version is the package’s', async () => {
  const context = testContext();
  assert.equal(await run(['--version'], context), 0);
  assert.equal(context.printed.stdout, `${programVersion()}\n`);
});

test('help lists every verb, and without a verb it is wrong usage', async () => {
  const asked = testContext({ columns: 200 });
  assert.equal(await run(['--help'], asked), 0);
  for (const { name, summary } of verbs) assert.ok(asked.printed.stdout.includes(summary), name);
  const bare = testContext();
  assert.equal(await run([], bare), 2);
  assert.match(bare.printed.stderr, /^Usage: flashback/);
});

for (const { name } of verbs)
  test(`"flashback ${name} --help" and "flashback help ${name}" explain it`, async () => {
    const [one, other] = [testContext(), testContext()];
    assert.equal(await run([name, '--help'], one), 0);
    assert.equal(await run(['help', name], other), 0);
    assert.match(one.printed.stdout, new RegExp(`^Usage: flashback ${name}`));
    assert.equal(other.printed.stdout, one.printed.stdout);
    assert.equal(one.printed.stderr, '');
  });

for (const argv of [
  ['status'],
  ['peers'],
  ['friends'],
  ['share'],
  ['stop'],
  ['ls', 'a@b.c'],
  ['cat', 'a@b.c:/x'],
  ['get', 'a@b.c:/x'],
])
  test(`"flashback ${argv.join(' ')}" exits with 4 where no daemon runs, and says how to start one`, async () => {
    const people = testContext();
    assert.equal(await run(argv, people), 4);
    assert.match(people.printed.stderr, /not running here\n.*flashback up/);
    const scripts = testContext();
    assert.equal(await run([...argv, '--json'], scripts), 4);
    assert.match(scripts.printed.stderr, /^\{"event":"error","code":"daemon_not_running",.*\}\n$/);
  });

test('what is behind "--" is no option', async () => {
  const context = testContext();
  assert.equal(await run(['ls', '--', '--json'], context), 2);
  assert.match(context.printed.stderr, /^flashback: "--json" is not a place/);
});
