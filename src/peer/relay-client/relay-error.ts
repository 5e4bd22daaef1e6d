export type RelayProblem =
  /** No connection, no answer in time, or the relay says that it cannot now (5xx). */
  | 'unreachable'
  /** Somebody with another certificate answers at the relay's address. */
  | 'identity_mismatch'
  /** The relay understood and says no: waiting does not help. */
  | 'refused'
  /** It does not know our certificate (401): register. */
  | 'unregistered'
  | 'rate_limited'
  | 'not_found'
  /** What answered is no relay of a protocol that we know. */
  | 'protocol';

/** A call to the relay failed; the message is a sentence that a person can act on. */
export class RelayError extends Error {
  readonly code: RelayProblem;
  /** The relay's own wish (RFC 9110 §10.2.3), milliseconds. */
  readonly retryAfterMs?: number;
  /** HTTP status, when there was an answer. */
  readonly status?: number;

  constructor(
    code: RelayProblem,
    message: string,
    options: ErrorOptions & { readonly retryAfterMs?: number; readonly status?: number } = {},
  ) {
    super(message, options);
    this.name = 'RelayError';
    this.code = code;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    if (options.status !== undefined) this.status = options.status;
  }
}
