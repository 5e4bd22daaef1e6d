import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { Output } from './output.ts';
import { memoryStream, testContext } from './testing/test-context.ts';

test('for people: results on stdout, everything else on stderr', () => {
  const { output, printed } = contextWithOutput();
  output.result('a result', { a: 1 });
  output.object({ hidden: true });
  output.note('a note');
  output.warning('careful');
  output.error('not_found', 'nothing there', 'look elsewhere');
  assert.deepEqual(printed(), {
    stdout: 'a result\n',
    stderr: 'a note\nwarning: careful\nflashback: nothing there\nlook elsewhere\n',
  });
});

test('for scripts: every line on stdout and stderr is one JSON object, and notes are left out', () => {
  const { output, printed } = contextWithOutput();
  output.useJson(true);
  output.result('a result', { a: 1 });
  output.line('a heading');
  output.note('a note');
  output.warning('careful');
  output.error('not_found', 'nothing\nthere');
  const { stdout, stderr } = printed();
  assert.equal(stdout, '{"a":1}\n');
  assert.deepEqual(
    stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [
      { event: 'warning', message: 'careful' },
      { event: 'error', code: 'not_found', error: 'nothing\nthere' },
    ],
  );
});

test('colours are for terminals, and not where NO_COLOR or a dumb terminal says no', () => {
  const paint = (isTerminal: boolean, environment: NodeJS.ProcessEnv): string =>
    testContext({ isTerminal, environment }).output.paint('red', 'x');
  assert.equal(paint(true, {}), '\u001b[31mx\u001b[39m');
  assert.equal(paint(false, {}), 'x');
  assert.equal(paint(true, { NO_COLOR: '1' }), 'x');
  assert.equal(paint(true, { NO_COLOR: '' }), '\u001b[31mx\u001b[39m');
  assert.equal(paint(true, { TERM: 'dumb' }), 'x');
});

test('a reader that leaves ends the printing, not the program', async () => {
  const { output, stream } = brokenOutput('EPIPE');
  output.result('into the void', {});
  await new Promise<void>((resolve) => {
    output.onPipeClosed(resolve);
  });
  output.result('more', {});
  assert.equal(output.failure, undefined);
  assert.equal(stream.writableLength, 0);
});

test('a full disk is a failure of the command', async () => {
  const { output } = brokenOutput('ENOSPC');
  output.result('too much', {});
  await new Promise<void>((resolve) => {
    output.onPipeClosed(resolve);
  });
  assert.equal(output.failure?.message, 'no ENOSPC');
});

function contextWithOutput(): { output: Output; printed: () => { stdout: string; stderr: string } } {
  const context = testContext();
  return { output: context.output, printed: () => context.printed };
}

function brokenOutput(code: string): { output: Output; stream: Writable } {
  const stream = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error(`no ${code}`), { code })),
  });
  return {
    output: new Output({ stdout: stream, stderr: memoryStream(false).stream, environment: {} }),
    stream,
  };
}
