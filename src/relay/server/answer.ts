import type { ServerResponse } from 'node:http';

/** On every answer of the hot routes; the other routes have helmet. */
const constantHeaders = [
  'content-type',
  'application/json; charset=utf-8',
  'cache-control',
  'no-store',
  'x-content-type-options',
  'nosniff',
];

/** Answers with a JSON text made already. */
export function answerJson(response: ServerResponse, status: number, json: string): void {
  response.writeHead(status, ['content-length', String(Buffer.byteLength(json)), ...constantHeaders]);
  response.end(json);
}

/** Starts an answer whose length is not known. */
export function startJson(response: ServerResponse, headers: readonly string[]): void {
  response.writeHead(200, [...headers, ...constantHeaders]);
}

/** `{"error": "…"}` (mission T6): a sentence for the client's own request, nothing of others or of our insides. */
export function answerError(
  response: ServerResponse,
  status: number,
  error: string,
  headers: readonly string[] = [],
): void {
  const json = JSON.stringify({ error });
  response.writeHead(status, [
    ...headers,
    'content-length',
    String(Buffer.byteLength(json)),
    ...constantHeaders,
  ]);
  response.end(json);
}

/** 429 with `Retry-After` in whole seconds (RFC 9110 §10.2.3). */
export function answerTooMany(response: ServerResponse, retryAfterMs: number): void {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  answerError(response, 429, `too many requests, try again in ${seconds} s`, [
    'retry-after',
    String(seconds),
  ]);
}
