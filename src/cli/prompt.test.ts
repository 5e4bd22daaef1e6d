import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { CommandError } from './command-error.ts';
import { ask, canAsk, confirm } from './prompt.ts';
import { TestKeyboard, testContext } from './testing/test-context.ts';

test('questions are for terminals, and never for scripts', () => {
  assert.equal(canAsk(testContext()), false);
  const { context } = terminal();
  assert.equal(canAsk(context), true);
  context.output.useJson(true);
  assert.equal(canAsk(context), false);
});

test('an answer is trimmed, and an empty one takes what is offered', async () => {
  const { context, keyboard } = terminal();
  keyboard.write('  anna@example.com \r');
  assert.equal(await ask(context, { text: 'E-mail' }), 'anna@example.com');
  keyboard.write('\r');
  assert.equal(await ask(context, { text: 'Folder', fallback: '/home/x' }), '/home/x');
});

test('an answer that will not do is asked for again, with the reason', async () => {
  const { context, keyboard } = terminal();
  const answer = ask(context, {
    text: 'Number',
    problem: (text) => (/^\d+$/.test(text) ? undefined : 'digits only'),
  });
  keyboard.write('x\r');
  await once(keyboard, 'resume');
  keyboard.write('7\r');
  assert.equal(await answer, '7');
  assert.match(context.printed.stderr, /digits only/);
  assert.equal(context.printed.stdout, '');
});

test('yes and no are taken in full and by their letter, and Enter takes the default', async () => {
  for (const [typed, fallback, expected] of [
    ['y', false, true],
    ['YES', false, true],
    ['n', true, false],
    ['', true, true],
    ['', false, false],
  ] as const) {
    const { context, keyboard } = terminal();
    keyboard.write(`${typed}\r`);
    assert.equal(await confirm(context, 'Sure?', fallback), expected);
  }
});

test('Ctrl-C at a question interrupts, and the end of the input is wrong usage', async () => {
  const first = terminal();
  const interrupted = ask(first.context, { text: 'E-mail' });
  first.keyboard.write('\u0003');
  await assert.rejects(interrupted, (error) => error instanceof CommandError && error.code === 'interrupted');
  const second = terminal();
  const ended = ask(second.context, { text: 'E-mail' });
  second.keyboard.end();
  await assert.rejects(ended, (error) => error instanceof CommandError && error.code === 'usage');
});

function terminal(): { context: ReturnType<typeof testContext>; keyboard: TestKeyboard } {
  const keyboard = new TestKeyboard();
  return { context: testContext({ stdin: keyboard, isTerminal: true }), keyboard };
}
