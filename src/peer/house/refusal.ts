import type { ServerResponse } from 'node:http';
import { type HouseError, houseErrors } from '../../wire/house-http.ts';

/** Why something was not served, for the owner's log. Visitors cannot tell these apart: all are the same 404. */
export type MissingCause = 'missing' | 'hidden' | 'outside' | 'special';

/** An expected answer of status 400 and above: a value, not an exception. */
export interface Refusal {
  readonly kind: 'refusal';
  readonly status: number;
  readonly error: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: MissingCause;
}

/** Long enough for a download or a digest to end, short enough that a person waits for it. */
const busyRetrySeconds = 5;
/** A disk that comes back is plugged in by a person. */
const awayRetrySeconds = 30;

export function refuse(status: number, error: string, headers?: Record<string, string>): Refusal {
  return { kind: 'refusal', status, error, ...(headers === undefined ? {} : { headers }) };
}

/** One text for what is missing, hidden, outside or a device: a visitor learns nothing from the difference. */
export function notFound(cause: MissingCause): Refusal {
  return { ...refuse(404, 'not found'), cause };
}

export const busyRefusal = refuse(503, houseErrors.busy, { 'Retry-After': String(busyRetrySeconds) });
export const awayRefusal = refuse(503, houseErrors.away, { 'Retry-After': String(awayRetrySeconds) });
export const offRefusal = refuse(503, houseErrors.off);

export function isRefusal(value: object): value is Refusal {
  return 'kind' in value && value.kind === 'refusal';
}

/** Sends `refusal`; the headers that every answer carries are already set. */
export function sendRefusal(response: ServerResponse, refusal: Refusal): void {
  const body: HouseError = { error: refusal.error };
  for (const [name, value] of Object.entries(refusal.headers ?? {})) response.setHeader(name, value);
  sendJson(response, refusal.status, body);
}

/** Sends a JSON body that no cache keeps: what a house shows depends on who asks and on the moment. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': bytes.length,
    'Cache-Control': 'no-store',
  });
  response.end(bytes);
}
