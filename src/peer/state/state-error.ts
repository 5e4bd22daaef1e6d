export type StateProblem =
  /** Another daemon uses the data folder. */
  | 'in_use'
  /** A newer version of the program wrote it. */
  | 'newer_schema'
  /** Damaged, not a database, or not readable or writable for us. */
  | 'unreadable';

/** The daemon's own memory cannot be used; the message says what to do. */
export class StateError extends Error {
  readonly code: StateProblem;

  constructor(code: StateProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StateError';
    this.code = code;
  }
}
