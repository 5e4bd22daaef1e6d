import type { Fingerprint } from '../../identity/fingerprint.ts';
import type { FailureCode } from '../../wire/local-api.ts';
import type { DialAttempt } from './dial-race.ts';

/** Nobody was reached; `attempts` says what each address did. */
export class DiscoveryError extends Error {
  readonly code: Extract<
    FailureCode,
    'not_found' | 'unreachable' | 'identity_changed' | 'relay_away' | 'failed'
  >;
  readonly attempts: readonly DialAttempt[];
  /** With `identity_changed`: what was shown in place of the pinned certificate. */
  readonly presented: Fingerprint | undefined;

  constructor(
    code: DiscoveryError['code'],
    message: string,
    options: ErrorOptions & {
      readonly attempts?: readonly DialAttempt[];
      readonly presented?: Fingerprint | undefined;
    } = {},
  ) {
    super(message, options);
    this.name = 'DiscoveryError';
    this.code = code;
    this.attempts = options.attempts ?? [];
    this.presented = options.presented;
  }
}
