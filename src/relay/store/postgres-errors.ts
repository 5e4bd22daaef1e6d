import { DatabaseError } from 'pg';
import { StoreError } from './store-error.ts';

/**
 * SQLSTATE codes and classes (PostgreSQL 18, appendix A) after which the same thing may work in a moment: the
 * connection was lost (08), two transactions were in each other's way (40), the server is short of connections
 * (53300), is stopping or starting (57P01 to 57P03), or has become a standby (25006).
 */
const transientStates = /^(?:08...|40...|53300|57P0[123]|25006)$/;

/** A value that does not fit its column (22) or breaks a constraint (23). */
const valueStates = /^2[23]...$/;

/** Node's codes for a server that is not there, not yet there, or gone. */
const transientNodeCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** What pg itself says without a code when a connection ends under it or does not come about in time. */
const transientMessages = /Connection terminated|Connection ended|timeout|not queryable/i;

/** Whether trying again may help; so it is with everything that happens while a server restarts. */
export function isTransient(error: unknown): boolean {
  if (error instanceof DatabaseError) return transientStates.test(error.code ?? '');
  if (error instanceof AggregateError) return error.errors.some(isTransient);
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string') return transientNodeCodes.has(error.code);
  return transientMessages.test(error.message);
}

/** Whether one of the values is to blame, and the statement would succeed without it. */
export function isValueError(error: unknown): boolean {
  return error instanceof DatabaseError && valueStates.test(error.code ?? '');
}

export function asStoreError(error: unknown, action: string): StoreError {
  if (error instanceof StoreError) return error;
  const code = isValueError(error) ? 'store_bad_value' : 'store_unavailable';
  // Node gives an error without a message when it has tried several addresses of one name.
  const reasons = error instanceof AggregateError ? error.errors : [error];
  const reason = reasons
    .map((reason) => (reason instanceof Error ? reason.message : String(reason)))
    .join('; ');
  return new StoreError(code, `${action}: ${reason}`, { cause: error });
}
