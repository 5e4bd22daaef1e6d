import { PeerMismatchError } from '../../identity/connect-pinned.ts';
import { printable } from '../../util/printable.ts';
import { HouseErrorSchema, houseErrors } from '../../wire/house-http.ts';
import type { FailureCode } from '../../wire/local-api.ts';
import { describeConnectionFailure } from '../network/connection-failure.ts';

/**
 * Why trying the same again can help: the connection broke and a new one may hold (`connection`), or the house is
 * there and asks to come back later (`busy`).
 */
export type PassingCause = 'connection' | 'busy';

/** A request to a house that failed; the message is a sentence for the person who asked. */
export class VisitError extends Error {
  readonly code: FailureCode;
  /** Undefined: the same request would fail again. */
  readonly passing: PassingCause | undefined;

  constructor(code: FailureCode, message: string, options: ErrorOptions & { passing?: PassingCause } = {}) {
    super(message, options);
    this.name = 'VisitError';
    this.code = code;
    this.passing = options.passing;
  }
}

/** A house's sentence is one line on a screen; what is longer is no sentence. */
const errorTextCharactersMax = 300;

/** For a failure before or while the answer arrived. `place` is the address as in a URL. */
export function connectionVisitError(place: string, error: unknown): VisitError {
  if (error instanceof VisitError) return error;
  if (error instanceof PeerMismatchError) {
    const message =
      `Somebody else answers at ${place}: the certificate shown (${error.presented ?? 'none'}) is not the one ` +
      'of the person you visit. Nothing was sent';
    return new VisitError('identity_changed', message, { cause: error });
  }
  if (isProtocolError(error))
    return new VisitError('failed', `What answers at ${place} does not speak HTTP as a house does`, {
      cause: error,
    });
  const message = `The house at ${place} cannot be reached: ${describeConnectionFailure(error)}`;
  return new VisitError('unreachable', message, { cause: error, passing: 'connection' });
}

/**
 * For an answer of a status that is no success. `subject` is what was asked for, printable (`"/a/b.txt"`), and
 * `body` the beginning of what came with it.
 */
export function statusVisitError(subject: string, status: number, body: string): VisitError {
  const raw = errorText(body);
  const reason = raw === undefined ? `HTTP ${status}` : shortened(printable(raw));
  if (status === 401 || status === 403)
    return new VisitError('refused', `The house refuses ${subject}: ${reason}`);
  if (status === 404) return new VisitError('not_found', `The house has nothing at ${subject}`);
  if (status === 503 && (raw === houseErrors.off || raw === houseErrors.away))
    return new VisitError('away', `The house shares nothing now: ${reason}`);
  if (status === 503 || status === 429)
    return new VisitError('away', `The house cannot serve ${subject} now: ${reason}`, { passing: 'busy' });
  if (status >= 300 && status < 400)
    return new VisitError(
      'failed',
      `The house answers for ${subject} with a redirect (HTTP ${status}), which is not followed`,
    );
  if (status === 400 || status === 414)
    return new VisitError('bad_request', `The house does not take the request for ${subject}: ${reason}`);
  return new VisitError('failed', `The house failed on ${subject}: ${reason}`);
}

/** For an answer that no house gives: what it says cannot be trusted. `flaw` completes "the answer …". */
export function answerVisitError(subject: string, flaw: string, cause?: unknown): VisitError {
  return new VisitError('failed', `The house's answer for ${subject} cannot be used: ${flaw}`, { cause });
}

/** A path in a house as it stands in a sentence. */
export function subjectOf(path: string): string {
  return `"${shortened(printable(`/${path}`))}"`;
}

/** Node's HTTP parser: what came is no HTTP, or its head is too long. */
function isProtocolError(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code.startsWith('HPE_')
  );
}

function errorText(body: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    // A page of some other program: its text is for nobody.
    return undefined;
  }
  const parsed = HouseErrorSchema.safeParse(value);
  return parsed.success && parsed.data.error !== '' ? parsed.data.error : undefined;
}

function shortened(text: string): string {
  return text.length <= errorTextCharactersMax ? text : `${text.slice(0, errorTextCharactersMax)}…`;
}
