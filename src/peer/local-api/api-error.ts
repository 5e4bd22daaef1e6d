import { z } from 'zod';
import { ArchiveError } from '../../identity/identity-archive.ts';
import { describeIssues } from '../../wire/describe-issues.ts';
import { type Failure, type FailureCode, FailureCodeSchema } from '../../wire/local-api.ts';

/** A request of the local user that cannot be done: the status, the code that the command line exits by, a sentence. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: FailureCode;

  constructor(status: number, code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
  }
}

const statusByCode: Readonly<Record<FailureCode, number>> = {
  bad_request: 400,
  not_found: 404,
  unreachable: 502,
  refused: 403,
  away: 503,
  identity_changed: 409,
  relay_away: 503,
  exists: 409,
  corrupt: 502,
  cancelled: 499,
  failed: 500,
};

/** What the user is told of an error, whichever part of the daemon threw it: its `code` decides when it is one of ours. */
export function describeFailure(error: unknown): { status: number; failure: Failure } {
  if (error instanceof ApiError)
    return { status: error.status, failure: { error: error.message, code: error.code } };
  if (error instanceof z.ZodError)
    return { status: 400, failure: { error: describeIssues(error), code: 'bad_request' } };
  if (error instanceof ArchiveError && error.code === 'weak-passphrase')
    return { status: 400, failure: { error: error.message, code: 'bad_request' } };
  const code = FailureCodeSchema.safeParse(codeOf(error));
  if (error instanceof Error && code.success)
    return { status: statusByCode[code.data], failure: { error: error.message, code: code.data } };
  if (isClientError(error))
    return { status: error.statusCode, failure: { error: error.message, code: 'bad_request' } };
  const message = error instanceof Error ? error.message : String(error);
  return { status: 500, failure: { error: message, code: 'failed' } };
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/** Fastify's own refusals: a body that is no JSON, or too long. */
function isClientError(error: unknown): error is Error & { statusCode: number } {
  return (
    error instanceof Error &&
    'statusCode' in error &&
    typeof error.statusCode === 'number' &&
    error.statusCode >= 400 &&
    error.statusCode < 500
  );
}
