import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import type { BodyReceiver, BodySource } from '../visit/body-source.ts';
import { VisitError } from '../visit/visit-error.ts';
import { PartialWriter } from './partial-writer.ts';
import { receiveBody } from './receive-body.ts';

/** A body whose bytes a test pushes by hand. */
class HandBody implements BodySource {
  receiver: BodyReceiver | undefined;
  isDestroyed = false;
  pauses = 0;
  read(receiver: BodyReceiver): void {
    this.receiver = receiver;
  }
  pause(): void {
    this.pauses += 1;
  }
  resume(): void {}
  destroy(): void {
    this.isDestroyed = true;
  }
}

async function receiving(
  work: (body: HandBody, received: Promise<void>, abort: AbortController) => Promise<void>,
  silenceMs = 5000,
): Promise<void> {
  await using folder = await temporaryFolder();
  await using file = await open(join(folder.path, 'f'), 'w+');
  const body = new HandBody();
  const abort = new AbortController();
  const received = receiveBody({
    body,
    writer: new PartialWriter(file, 1000),
    place: 'host:1',
    onBytes: () => {},
    action: 'Cannot write f',
    signal: abort.signal,
    silenceMs,
  });
  await work(body, received, abort);
}

function isLost(error: unknown): boolean {
  return error instanceof VisitError && error.code === 'unreachable' && error.passing === 'connection';
}

test('a house that falls silent counts as lost', async () => {
  await receiving(async (body, received) => {
    body.receiver?.bytes(Buffer.from('hello'));
    await assert.rejects(received, (error) => isLost(error) && /fell silent/.test(String(error)));
    assert.ok(body.isDestroyed);
  }, 10);
});

test('a body that ends, breaks or is aborted settles once', async () => {
  await receiving(async (body, received) => {
    body.receiver?.end();
    body.receiver?.fail(new Error('late'));
    await received;
    assert.equal(body.isDestroyed, false);
  });
  await receiving(async (body, received) => {
    body.receiver?.fail(undefined);
    await assert.rejects(received, isLost);
  });
  await receiving(async (body, received) => {
    body.receiver?.fail(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
    await assert.rejects(received, isLost);
  });
  await receiving(async (body, received, abort) => {
    abort.abort(new Error('enough'));
    body.receiver?.bytes(Buffer.from('late'));
    await assert.rejects(received, /enough/);
    assert.ok(body.isDestroyed);
  });
});
