import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { temporaryFolder } from '../util/testing/temporary-folder.ts';
import { CommandError } from './command-error.ts';
import { readPassphrase } from './passphrase.ts';
import { TestKeyboard, testContext } from './testing/test-context.ts';

test('a file gives its first line, without the line end', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'passphrase');
  await writeFile(file, 'correct horse \r\nsecond line\n');
  assert.equal(await readPassphrase(testContext(), { file, isNew: true }), 'correct horse ');
});

test('a pipe gives its first line, even when it goes on', async () => {
  const stdin = new PassThrough();
  stdin.write('correct ');
  stdin.write('horse\nmore');
  assert.equal(await readPassphrase(testContext({ stdin }), { isNew: true }), 'correct horse');
});

for (const [what, text] of [
  ['nothing', ''],
  ['an empty line', '\nx'],
  ['a novel', 'x'.repeat(5000)],
] as const)
  test(`a pipe with ${what} is wrong usage`, async () => {
    const stdin = new PassThrough();
    stdin.end(text);
    await assert.rejects(readPassphrase(testContext({ stdin }), { isNew: false }), isUsage);
  });

test('a file that cannot be read is wrong usage, and the message does not hold the passphrase', async () => {
  await assert.rejects(readPassphrase(testContext(), { file: '/nonexistent/file', isNew: false }), isUsage);
});

test('on a terminal nothing of what is typed is shown', async () => {
  const { context, keyboard } = terminal();
  const passphrase = readPassphrase(context, { isNew: false });
  keyboard.write('correct hoarse\u007f\u007f\u007f\u007frse\r');
  assert.equal(await passphrase, 'correct horse');
  assert.equal(context.printed.stderr, 'Passphrase: \n');
  assert.equal(context.printed.stdout, '');
  assert.equal(keyboard.isRaw, false);
});

test('a new passphrase is typed twice, and a slip is found out', async () => {
  const { context, keyboard } = terminal();
  const passphrase = readPassphrase(context, { isNew: true });
  keyboard.write('correct horse\r');
  await new Promise((resolve) => setImmediate(resolve));
  keyboard.write('correct house\r');
  await assert.rejects(passphrase, /not the same/);
});

test('whole characters are taken back, also those of several bytes, and Ctrl-U takes all', async () => {
  const { context, keyboard } = terminal();
  const passphrase = readPassphrase(context, { isNew: false });
  for (const byte of Buffer.from('no\u0015pä🙂\u007fß\r')) keyboard.write(Buffer.of(byte));
  assert.equal(await passphrase, 'päß');
});

test('Ctrl-C interrupts and Ctrl-D gives up, and the terminal is as it was', async () => {
  for (const [key, code] of [
    ['\u0003', 'interrupted'],
    ['\u0004', 'usage'],
  ] as const) {
    const { context, keyboard } = terminal();
    const passphrase = readPassphrase(context, { isNew: false });
    keyboard.write(`corr${key}`);
    await assert.rejects(passphrase, (error) => error instanceof CommandError && error.code === code);
    assert.equal(keyboard.isRaw, false);
  }
});

function isUsage(error: unknown): boolean {
  return error instanceof CommandError && error.code === 'usage';
}

function terminal(): { context: ReturnType<typeof testContext>; keyboard: TestKeyboard } {
  const keyboard = new TestKeyboard();
  return { context: testContext({ stdin: keyboard, isTerminal: true }), keyboard };
}
