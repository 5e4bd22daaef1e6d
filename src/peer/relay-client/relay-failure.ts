/** What each way of failing at the relay means: Node's errors and HTTP statuses become a {@link RelayError}, at the one edge. */
import type { IncomingHttpHeaders } from 'node:http';
import { PeerMismatchError } from '../../identity/connect-pinned.ts';
import { printable } from '../../util/printable.ts';
import { ErrorBodySchema } from '../../wire/relay-http.ts';
import { describeConnectionFailure, failureCodeOf } from '../network/connection-failure.ts';
import { RelayError } from './relay-error.ts';

/** A relay's sentence is one line on a screen; what is longer is no sentence. */
const errorTextCharactersMax = 300;

/** However long the relay wants us to wait, a person who waits sees a try within the hour. */
const retryAfterMsMax = 3_600_000;

/** OpenSSL's and Node's codes for a certificate that no authority of this machine vouches for. */
const unvouchedCodes = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
]);

/** For an error before the answer was read. */
export function connectionRelayError(origin: string, error: unknown): RelayError {
  if (error instanceof RelayError) return error;
  if (error instanceof PeerMismatchError)
    return new RelayError(
      'identity_mismatch',
      `Somebody else answers at ${origin}: the certificate shown (${error.presented ?? 'none'}) is not the relay's. ` +
        'Nothing was sent. If the operator changed the certificate, ask for the new relay URL; else this network intercepts connections',
      { cause: error },
    );
  const code = failureCodeOf(error);
  if (code !== undefined && unvouchedCodes.has(code))
    return new RelayError(
      'identity_mismatch',
      `Cannot trust the relay ${origin}: ${describeConnectionFailure(error)}. ` +
        'A relay with its own certificate is trusted by its whole URL, with #sha256=..., which it prints at start',
      { cause: error },
    );
  return new RelayError(
    'unreachable',
    `The relay ${origin} cannot be reached: ${describeConnectionFailure(error)}`,
    {
      cause: error,
    },
  );
}

export interface RelayAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** For an answer of a status that the call does not expect. */
export function statusRelayError(
  origin: string,
  call: string,
  answer: RelayAnswer,
  nowMs: number,
): RelayError {
  const { status } = answer;
  const reason = errorText(answer.body);
  const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], nowMs);
  const options = { status, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  if (status === 429)
    return new RelayError(
      'rate_limited',
      `The relay ${origin} asks to wait: ${reason ?? 'too many requests'}`,
      options,
    );
  if (status >= 500)
    return new RelayError(
      'unreachable',
      `The relay ${origin} cannot serve now: ${reason ?? `HTTP ${status}`}`,
      options,
    );
  // A relay says why; a 4xx without its sentence comes from something else at this address.
  if (reason === undefined || status < 400)
    return notARelay(origin, `${call} was answered with HTTP ${status}`, options);
  if (status === 401)
    return new RelayError('unregistered', `The relay ${origin} does not know us: ${reason}`, options);
  if (status === 404) return new RelayError('not_found', `The relay ${origin}: ${reason}`, options);
  return new RelayError('refused', `The relay ${origin} refuses ${call}: ${reason}`, options);
}

export function notARelay(
  origin: string,
  what: string,
  options: ErrorOptions & { readonly status?: number } = {},
): RelayError {
  return new RelayError(
    'protocol',
    `What answers at ${origin} is not a relay that this version understands: ${what}. Check the relay URL`,
    options,
  );
}

function errorText(body: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  const parsed = ErrorBodySchema.safeParse(value);
  return parsed.success ? printable(parsed.data.error.slice(0, errorTextCharactersMax)) : undefined;
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const waitMs = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(waitMs) ? undefined : Math.min(retryAfterMsMax, Math.max(0, waitMs));
}
