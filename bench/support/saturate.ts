import type { LoadConnection } from './load-connection.ts';

/** After the last request was sent, its answer has this long: a server that is alive needs a few milliseconds. */
const drainMs = 10_000;

export interface SaturateOptions {
  readonly connections: readonly LoadConnection[];
  /** The request that connection number `connection` sends as its `turn`-th, counting from 0. */
  readonly request: (connection: number, turn: number) => Buffer;
  readonly seconds: number;
  /** The only status that counts as an answer, such as 200. Any other is an error: it would be cheaper to give. */
  readonly status: number;
  readonly signal: AbortSignal;
}

/**
 * Keeps one request outstanding on every connection for `seconds`, waits for the last answers, and resolves to
 * the number of answers.
 */
export async function saturate(options: SaturateOptions): Promise<number> {
  options.signal.throwIfAborted();
  let isRunning = true;
  const lastRequests = setTimeout(() => {
    isRunning = false;
  }, options.seconds * 1000);
  const deadline = AbortSignal.timeout(options.seconds * 1000 + drainMs);
  const { promise: stopped, reject: stop } = Promise.withResolvers<never>();
  const onDeadline = (): void =>
    stop(new Error(`Cannot finish a round: no answer for ${drainMs} ms after the last request`));
  const onAbort = (): void => stop(options.signal.reason);
  deadline.addEventListener('abort', onDeadline);
  options.signal.addEventListener('abort', onAbort);
  try {
    const isOpen = (): boolean => isRunning;
    const counts = await Promise.race([
      stopped,
      Promise.all(options.connections.map((_, index) => repeat(index, options, isOpen))),
    ]);
    return counts.reduce((total, count) => total + count, 0);
  } finally {
    isRunning = false;
    clearTimeout(lastRequests);
    deadline.removeEventListener('abort', onDeadline);
    options.signal.removeEventListener('abort', onAbort);
  }
}

/** One connection's share, in callbacks: a promise for each answer would cost the generator as much as the socket. */
async function repeat(index: number, options: SaturateOptions, isRunning: () => boolean): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const connection = options.connections[index];
  if (connection === undefined) throw new Error(`Cannot load connection ${index}: there is none`);
  let answers = 0;
  const failed = (cause: Error): void => {
    reject(new Error(`Cannot go on after ${answers} answers to ${connection.person.email}`, { cause }));
  };
  const answered = (status: number): void => {
    if (status !== options.status) {
      failed(new Error(`status ${status} instead of ${options.status}`));
      return;
    }
    answers++;
    if (isRunning()) connection.send(options.request(index, answers), answered, failed);
    else resolve(answers);
  };
  connection.send(options.request(index, 0), answered, failed);
  return await promise;
}
