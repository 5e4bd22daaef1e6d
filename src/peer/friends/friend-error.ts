import type { FailureCode } from '../../wire/local-api.ts';

/** A wish about friends that cannot be granted; the message says what to do. */
export class FriendError extends Error {
  readonly code: Extract<
    FailureCode,
    'bad_request' | 'not_found' | 'identity_changed' | 'relay_away' | 'failed'
  >;

  constructor(code: FriendError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FriendError';
    this.code = code;
  }
}
