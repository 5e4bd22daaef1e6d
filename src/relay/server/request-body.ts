import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { ByteCollector } from '../../util/byte-collector.ts';
import { describeIssues } from '../../wire/describe-issues.ts';

/** A request that cannot be served as it is: the status to answer with and a sentence that says why. */
export class RequestError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'RequestError';
    this.status = status;
  }
}

/**
 * Collects a request's body and calls back once, in the turn in which it ended: on the hot path a promise for
 * each chunk would cost as much as the request.
 *
 * @throws through the callback {@link RequestError} 413 when it is longer than `bytesMax`; 400 when it broke off.
 */
export function collectBody(
  request: IncomingMessage,
  bytesMax: number,
  done: (error: RequestError | undefined, text: string) => void,
): void {
  const collected = new ByteCollector();
  let isDone = false;
  const finish = (error: RequestError | undefined): void => {
    if (isDone) return;
    isDone = true;
    done(error, error === undefined ? collected.text() : '');
  };
  request.on('data', (chunk: Buffer) => {
    if (isDone) return;
    if (collected.length + chunk.length > bytesMax)
      finish(new RequestError(413, `body is longer than ${bytesMax} bytes`));
    else collected.add(chunk);
  });
  request.on('end', () => finish(undefined));
  request.on('error', () => finish(new RequestError(400, 'body broke off')));
}

/** @throws {RequestError} 400 with every problem that the schema found. */
export function parseJsonBody<T>(schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RequestError(400, text === '' ? 'body is empty, expected JSON' : 'body is not valid JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RequestError(400, 'body must be a JSON object');
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new RequestError(400, describeIssues(parsed.error));
  return parsed.data;
}
