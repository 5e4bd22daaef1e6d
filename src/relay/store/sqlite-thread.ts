import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { FromWorker, WorkerTask } from './sqlite-protocol.ts';
import { StoreError } from './store-error.ts';

/** Starts the thread of sqlite-worker.ts, which is a `.ts` file in the repository and a `.js` file in the package. */
export function startSqliteThread(task: WorkerTask): Worker {
  const extension = extname(fileURLToPath(import.meta.url));
  return new Worker(new URL(`./sqlite-worker${extension}`, import.meta.url), {
    name: `sqlite ${task.kind}`,
    workerData: task,
  });
}

/**
 * Waits for what a new thread says first.
 *
 * @throws StoreError the thread's refusal, or `store_failed` when it ended without a word
 */
export async function firstMessage(thread: Worker): Promise<FromWorker> {
  using silence = new AbortedByExit(thread);
  const [message] = (await once(thread, 'message', { signal: silence.signal }).catch((cause: unknown) => {
    throw new StoreError('store_failed', `Cannot start the database's thread: ${String(cause)}`, { cause });
  })) as [FromWorker];
  if (message === null || !('refused' in message)) return message;
  await thread.terminate();
  throw new StoreError(message.refused.code, message.refused.message);
}

class AbortedByExit implements Disposable {
  readonly #thread: Worker;
  readonly #controller = new AbortController();
  readonly #onExit = (code: number): void => this.#controller.abort(new Error(`it ended with code ${code}`));

  constructor(thread: Worker) {
    this.#thread = thread;
    thread.once('exit', this.#onExit);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#thread.off('exit', this.#onExit);
  }
}
