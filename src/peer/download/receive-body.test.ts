import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import type { BodyReceiver, BodySource } from '../visit/body-source.ts';
import { VisitError } from '../visit/visit-error.ts';
import { downloadMemoryBytesMax, PartialWriter } from './partial-writer.ts';
import { receiveBody } from './receive-body.ts';

const mebibyte = 1024 * 1024;

/** A body whose bytes a test pushes by hand. */
class HandBody implements BodySource {
  receiver: BodyReceiver | undefined;
  isDestroyed = false;
  readonly resumed = Promise.withResolvers<void>();
  isPaused = false;
  read(receiver: BodyReceiver): void {
    this.receiver = receiver;
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
    this.resumed.resolve();
  }
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
    writer: new PartialWriter(file, 100 * mebibyte),
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

test('a body waits for the disk before more than its share of memory is taken', async () => {
  await receiving(async (body, received) => {
    const chunk = Buffer.alloc(mebibyte / 4);
    let bytes = 0;
    // Without a turn of the event loop nothing is written: the network is faster than any disk here.
    while (!body.isPaused && bytes < 100 * mebibyte) {
      body.receiver?.bytes(chunk);
      bytes += chunk.length;
    }
    assert.ok(bytes <= downloadMemoryBytesMax, `${bytes} bytes were taken`);
    await body.resumed.promise;
    body.receiver?.end();
    await received;
  });
});
