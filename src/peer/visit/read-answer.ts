import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { ByteCollector } from '../../util/byte-collector.ts';
import { withDeadline } from '../../util/deadline.ts';
import { refuseEncoding } from './answer-headers.ts';
import { type BodySource, ResponseBody } from './body-source.ts';
import { answerVisitError, connectionVisitError } from './visit-error.ts';

export interface Reading {
  /** What was asked for, printable. */
  readonly subject: string;
  /** Address as in a URL. */
  readonly place: string;
  readonly bytesMax: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Reads a JSON body of bounded length in bounded time and parses it once. */
export async function readJson<T>(
  response: IncomingMessage,
  schema: z.ZodType<T>,
  { subject, place, bytesMax, timeoutMs, signal }: Reading,
): Promise<T> {
  let text: string;
  try {
    refuseEncoding(subject, response.headers);
    text = await withDeadline(`Reading the answer for ${subject}`, timeoutMs, signal, (deadline) =>
      readText(new ResponseBody(response), bytesMax, deadline),
    );
  } catch (error) {
    response.destroy();
    if (signal?.aborted === true) throw signal.reason;
    if (error instanceof TooLongError) throw answerVisitError(subject, `it is over ${bytesMax} bytes`);
    throw connectionVisitError(place, error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw answerVisitError(subject, 'it is no JSON', error);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') ?? '';
  throw answerVisitError(
    subject,
    `it is not what a house says${where === '' ? '' : ` (at ${where})`}`,
    parsed.error,
  );
}

class TooLongError extends Error {}

/** The whole body as text. When it is longer or `signal` aborts, the body is destroyed. */
export function readText(body: BodySource, bytesMax: number, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const collected = new ByteCollector();
  const onAbort = (): void => fail(signal.reason);
  const fail = (error: unknown): void => {
    signal.removeEventListener('abort', onAbort);
    body.destroy();
    reject(error ?? new Error('the connection was cut in the middle of the answer'));
  };
  if (signal.aborted) {
    onAbort();
    return promise;
  }
  signal.addEventListener('abort', onAbort, { once: true });
  body.read({
    bytes: (chunk) => {
      if (collected.length + chunk.length > bytesMax) fail(new TooLongError());
      else collected.add(chunk);
    },
    end: () => {
      signal.removeEventListener('abort', onAbort);
      resolve(collected.text());
    },
    fail,
  });
  return promise;
}
