import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { run } from '../main.ts';
import { fakeDaemon } from '../testing/fake-daemon.ts';
import { testContext } from '../testing/test-context.ts';
import { verbs } from '../verbs.ts';

const hasBash = spawnSync('bash', ['--version']).status === 0;

async function script(shell: string): Promise<string> {
  const context = testContext();
  assert.equal(await run(['completion', shell], context), 0);
  return context.printed.stdout;
}

for (const shell of ['bash', 'zsh', 'fish'])
  test(`the script for ${shell} knows every verb, their words and their options`, async () => {
    const text = await script(shell);
    for (const { name } of verbs) assert.ok(text.includes(name), name);
    for (const word of ['requests', 'accept', 'housePort', 'passphrase-file', 'broadcast-lifetime'])
      assert.ok(text.includes(word), word);
    assert.doesNotMatch(text, /undefined|\[object/);
  });

/** What bash offers for a line, when the daemon knows anna@example.com and her two folders. */
async function bashOffers(line: string): Promise<string[]> {
  const test = `
${await script('bash')}
flashback() {
  [[ $1 == completion ]] || return 1
  case $3 in
    *:/ph*) printf '%s\\n' 'anna@example.com:/photos/' 'anna@example.com:/phone books/' ;;
    *) [[ $2 == place ]] && echo 'anna@example.com:/' || echo 'anna@example.com' ;;
  esac
}
compopt() { :; }
COMP_LINE=$1 COMP_POINT=\${#1}
_flashback
printf '%s\\n' "\${COMPREPLY[@]}"
`;
  const { stdout, stderr } = spawnSync('bash', ['-c', test, 'bash', line], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.split('\n').filter((word) => word !== '');
}

const offers: readonly (readonly [line: string, expected: readonly string[]])[] = [
  ['flashback fr', ['friends']],
  ['flashback friends ac', ['accept']],
  ['flashback share o', ['on', 'off']],
  ['flashback config set house', ['housePort', 'houseInterface']],
  ['flashback get --r', ['--recursive']],
  ['flashback friends remove an', ['anna@example.com']],
  ['flashback ls ', ['anna@example.com:/']],
  // Bash replaces only what follows the last @ or colon.
  ['flashback ls anna@', ['example.com:/']],
  ['flashback get -f anna@example.com:/ph', ['/photos/', '/phone books/']],
  // The value of an option is left to bash's own completion of files.
  ['flashback get -o ', []],
  ['flashback status x', []],
];

for (const [line, expected] of offers)
  test(`bash completes "${line}"`, { skip: !hasBash }, async () =>
    assert.deepEqual(await bashOffers(line), expected),
  );

test('people and places are asked of the daemon; an e-mail that a shell would act upon is never offered', async () => {
  const peer = { status: 'online', friend: false };
  const peers = [
    'anna@example.com',
    'an+na@example.com',
    '`id`@x.org',
    '$home@x.org',
    'a|b@x.org',
    "o'neil@x.org",
  ];
  const modified = '2026-03-01T12:00:00Z';
  await using daemon = await fakeDaemon((request, response) =>
    response.end(
      JSON.stringify(
        request.url?.startsWith('/api/peers')
          ? { peers: peers.map((email) => ({ ...peer, email })) }
          : {
              path: 'ph',
              entries: [
                { name: 'otos', type: 'directory', size: 0, modified },
                { name: 'x.txt', type: 'file', size: 0, modified },
              ],
            },
      ),
    ),
  );
  const { context } = daemon;
  assert.equal(await run(['completion', 'person', ''], context), 0);
  assert.equal(await run(['completion', 'place', 'an'], context), 0);
  assert.equal(await run(['completion', 'place', 'anna@example.com:/ph/o'], context), 0);
  assert.deepEqual(context.printed.stdout.trim().split('\n'), [
    'anna@example.com',
    'an+na@example.com',
    'anna@example.com:/',
    'an+na@example.com:/',
    'anna@example.com:/ph/otos/',
  ]);
});
