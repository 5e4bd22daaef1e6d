import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { temporaryFolder } from '../util/testing/temporary-folder.ts';
import { DownloadEventSchema, localApiAccessFileName } from '../wire/local-api.ts';
import { CommandError } from './command-error.ts';
import { DaemonClient } from './daemon-client.ts';
import { fakeDaemon, writeAccess } from './testing/fake-daemon.ts';
import { type TestContext, testContext } from './testing/test-context.ts';

const AnswerSchema = z.object({ answer: z.number() });

test('a question carries the token and the query, and its answer is parsed', async () => {
  await using daemon = await fakeDaemon((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    const isRight =
      request.headers.authorization === 'Bearer the-token' && url.searchParams.get('path') === 'a b/ü&c';
    response.end(JSON.stringify({ answer: isRight ? 42 : 0 }));
  });
  const client = await DaemonClient.open(daemon.context);
  const { answer } = await client.ask(AnswerSchema, {
    path: '/x',
    query: { path: 'a b/ü&c', after: undefined },
  });
  assert.equal(answer, 42);
});

test("a failure keeps the daemon's code and words", async () => {
  await using daemon = await fakeDaemon((_request, response) => {
    response.statusCode = 403;
    response.end(JSON.stringify({ error: 'not for you', code: 'refused' }));
  });
  await assert.rejects(ask(daemon.context), isCommandError('refused', /^not for you$/));
});

const strange: readonly (readonly [what: string, status: number, body: string])[] = [
  ['another shape', 200, '{"answer":"forty-two"}'],
  ['no JSON', 200, '<html>'],
  ['a status without a failure', 500, 'oops'],
  ['a failure of a code that nobody knows', 500, '{"error":"x","code":"new_code"}'],
];

for (const [what, status, body] of strange)
  test(`an answer with ${what} is a failure that speaks of versions`, async () => {
    await using daemon = await fakeDaemon((_request, response) => {
      response.statusCode = status;
      response.end(body);
    });
    await assert.rejects(
      ask(daemon.context),
      (error) =>
        error instanceof CommandError && error.code === 'failed' && /same version/.test(error.advice ?? ''),
    );
  });

test('no word of a daemon, a daemon that is gone, and a damaged word are all "not running"', async () => {
  await using home = await temporaryFolder();
  const context = testContext({ home: home.path });
  const isNotRunning = isCommandError('daemon_not_running', /not running here/);
  await assert.rejects(ask(context), isNotRunning);
  await writeFile(join(home.path, localApiAccessFileName), '{"url": "http');
  await assert.rejects(ask(context), isNotRunning);
  let gone: TestContext;
  {
    await using daemon = await fakeDaemon((_request, response) => response.end());
    gone = daemon.context;
    await writeAccess(home.path, daemon.port);
  }
  await assert.rejects(ask(testContext({ home: home.path })), isNotRunning);
  assert.notEqual(gone, context);
});

test('whoever listens on the port of a daemon that was killed is asked nothing', async () => {
  await using stranger = await fakeDaemon(() => assert.fail('it was asked'));
  const { pid } = spawnSync(process.execPath, ['--version']);
  await writeAccess(stranger.context.folders.data, stranger.port, pid);
  await assert.rejects(ask(stranger.context), isCommandError('daemon_not_running', /not running here/));
});

test('a daemon that says nothing is given up after the time set', async () => {
  await using daemon = await fakeDaemon(() => {});
  const client = await DaemonClient.open(daemon.context);
  await assert.rejects(
    client.ask(AnswerSchema, { path: '/x', timeoutMs: 50 }),
    isCommandError('failed', /did not answer \/x within 0\.05 s/),
  );
});

test('Ctrl-C ends a question with the reason of the interruption', async () => {
  await using daemon = await fakeDaemon(() => daemon.context.interrupt());
  await assert.rejects(ask(daemon.context), isCommandError('interrupted', /./));
});

test('events are read line by line, however the bytes are cut', async () => {
  const lines = [
    { event: 'started', path: 'ü/日本.txt', total: 3, via: 'direct' },
    { event: 'done', path: '/home/ü', bytes: 3, sha256: 'x', via: 'direct' },
  ];
  const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  await using daemon = await fakeDaemon(async (_request, response) => {
    for (const byte of bytes) {
      response.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  });
  assert.deepEqual(await collect(daemon.context), lines);
});

test('events that break off are a failure, not an end', async () => {
  await using daemon = await fakeDaemon((_request, response) => {
    response.write('{"event":"started","path":"a","total":3,"via":"direct"}\n', () => response.destroy());
  });
  await assert.rejects(collect(daemon.context), isCommandError('failed', /in the middle/));
});

test('leaving the loop early ends the request at the daemon', async () => {
  let closed: Promise<unknown> | undefined;
  await using daemon = await fakeDaemon((_request, response) => {
    closed = once(response, 'close');
    response.write('{"event":"started","path":"a","total":3,"via":"direct"}\n');
  });
  const client = await DaemonClient.open(daemon.context);
  for await (const event of client.events(DownloadEventSchema, { path: '/x' }))
    if (event.event === 'started') break;
  await closed;
});

function isCommandError(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof CommandError && error.code === code && message.test(error.message);
}

async function ask(context: TestContext): Promise<number> {
  const client = await DaemonClient.open(context);
  return (await client.ask(AnswerSchema, { path: '/x' })).answer;
}

async function collect(context: TestContext): Promise<unknown[]> {
  const client = await DaemonClient.open(context);
  const events: unknown[] = [];
  for await (const event of client.events(DownloadEventSchema, { path: '/x', method: 'POST', body: {} }))
    events.push(event);
  return events;
}
