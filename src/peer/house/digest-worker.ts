/** Thread of `digest-service.ts`: reads and hashes one file after the other, one block in memory. */
import { createHash, hash } from 'node:crypto';
import { readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { errorCode } from '../../util/error-code.ts';
import { digestBlockBytes } from '../../wire/house-http.ts';
import { type DigestJob, type DigestOutcome, sha256Bytes } from './digest-job.ts';

const block = Buffer.allocUnsafeSlow(digestBlockBytes);

parentPort?.on('message', (job: DigestJob) => {
  parentPort?.postMessage(digest(job));
});

function digest(job: DigestJob): DigestOutcome {
  const cancelled = new Int32Array(job.cancelled);
  const whole = job.wholeFile ? createHash('sha256') : undefined;
  const blocks = job.eachBlock ? new Uint8Array((job.endBlock - job.fromBlock) * sha256Bytes) : undefined;
  try {
    for (let index = job.fromBlock; index < job.endBlock; index += 1) {
      if (Atomics.load(cancelled, 0) !== 0) return { kind: 'cancelled' };
      const start = index * digestBlockBytes;
      const bytes = readBlock(job.descriptor, start, Math.min(digestBlockBytes, job.sizeBytes - start));
      if (bytes === undefined) return { kind: 'changed' };
      whole?.update(bytes);
      blocks?.set(hash('sha256', bytes, 'buffer'), (index - job.fromBlock) * sha256Bytes);
    }
    return { kind: 'done', sha256: whole?.digest(), blocks };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', message, code: errorCode(error) };
  }
}

function readBlock(descriptor: number, position: number, wanted: number): Buffer | undefined {
  let length = 0;
  while (length < wanted) {
    const count = readSync(descriptor, block, length, wanted - length, position + length);
    if (count === 0) return undefined;
    length += count;
  }
  return block.subarray(0, wanted);
}
