import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../util/testing/temporary-folder.ts';
import { run } from './main.ts';
import { type TestContext, testContext } from './testing/test-context.ts';

const flags = ['--ui-port', '0', '--interface', 'loopback', '--log-level', 'silent'];

/** Starts the daemon, lets it print its first lines, and stops it. @returns what stdout got. */
async function firstLines(home: string, args: readonly string[]): Promise<string> {
  const context: TestContext = testContext({ home });
  const ended = run(['up', ...flags, ...args], context);
  const hasEnded = ended.then(() => true);
  const turn = (): Promise<false> => new Promise((resolve) => setImmediate(() => resolve(false)));
  while (!/Ctrl-C stops|"ready"/.test(context.printed.stdout))
    if (await Promise.race([hasEnded, turn()])) break;
  context.interrupt();
  assert.equal(await ended, 0, context.printed.stderr);
  return context.printed.stdout;
}

test('up says at once when the house is away, and why', async () => {
  await using folder = await temporaryFolder();
  const home = join(folder.path, 'home');
  const house = join(folder.path, 'house');
  assert.equal(await run(['init', '--email', 'me@example.com'], testContext({ home })), 0);
  const lines = await firstLines(home, ['--house', house]);
  assert.match(
    lines,
    /house {4}.*\/house for friends, port \d+\n {11}is away: it does not exist: .*\/house\n/,
  );
  const [line = ''] = (await firstLines(home, ['--house', house, '--json'])).split('\n');
  assert.partialDeepStrictEqual(JSON.parse(line), { event: 'ready', house: { state: 'away' } });

  await mkdir(house);
  assert.doesNotMatch(await firstLines(home, ['--house', house]), /is away/);
});
