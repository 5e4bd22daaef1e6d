/**
 * - `store_overloaded`: too many calls are waiting; try again later.
 * - `store_unavailable`: the engine is away or too slow for now; the call may or may not have taken effect.
 * - `store_failed`: the engine is gone for good; the relay must be started again.
 * - `store_closed`: the store was disposed.
 * - `store_locked`: another process has the data folder open.
 * - `store_schema_newer`: the database was written by a newer version of this program.
 * - `store_unsupported`: the database server is too old.
 * - `store_unknown_client`: a broadcast or certificate for a client that is not there.
 * - `store_bad_value`: a value that cannot be stored.
 * - `store_backup_refused`: the backup was not begun.
 */
export type StoreErrorCode =
  | 'store_overloaded'
  | 'store_unavailable'
  | 'store_failed'
  | 'store_closed'
  | 'store_locked'
  | 'store_schema_newer'
  | 'store_unsupported'
  | 'store_unknown_client'
  | 'store_bad_value'
  | 'store_backup_refused';

export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
    this.code = code;
  }
}
