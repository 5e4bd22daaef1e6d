import { EventEmitter } from 'node:events';
import type { CertificateClaims } from '../../identity/certificate.ts';
import type { Clock } from '../../util/clock.ts';
import type { Email } from '../../wire/email.ts';
import type { FailureCode } from '../../wire/local-api.ts';
import type { RelayClient } from '../relay-client/relay-client.ts';
import type { KnownPeer } from '../state/known-peers.ts';
import type { StateStore } from '../state/state-store.ts';
import type { VisitorRequest } from '../state/visitor-requests.ts';

export interface FriendBookOptions {
  readonly ownEmail: Email;
  readonly state: StateStore;
  readonly relay: RelayClient | undefined;
  readonly clock?: Clock;
}

export interface FriendBookEvents {
  friendAdded: [email: Email];
  friendRemoved: [email: Email];
  /** Another certificate took the place of a friend's. */
  friendChanged: [email: Email];
  /** Somebody knocked who had not before. */
  requestArrived: [request: VisitorRequest];
}

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

/** Who is a friend, and who asks to be one. */
export class FriendBook extends EventEmitter<FriendBookEvents> {
  constructor(_options: FriendBookOptions) {
    super();
    throw new Error('not built yet');
  }

  /** For the house: is the holder of this certificate, proved by TLS, a friend? A renewed certificate is taken note of. */
  recognise(_claims: CertificateClaims): boolean {
    throw new Error('not built yet');
  }

  friends(): KnownPeer[] {
    throw new Error('not built yet');
  }

  /**
   * @param options.fingerprint what the friend told the user; without it the pinned key of an earlier visit or the relay's word.
   * @param options.acceptChange replaces another pinned key; needs `fingerprint`.
   * @throws {FriendError}
   */
  add(
    _email: Email,
    _options?: {
      readonly fingerprint?: string;
      readonly acceptChange?: boolean;
      readonly signal?: AbortSignal;
    },
  ): Promise<KnownPeer> {
    throw new Error('not built yet');
  }

  /** @throws {FriendError} `not_found` when it is no friend. */
  remove(_email: Email): void {
    throw new Error('not built yet');
  }

  /** For the house: somebody whom the policy does not admit knocked. Own e-mail and friends are not recorded. */
  recordRequest(_claims: CertificateClaims, _address: string): void {
    throw new Error('not built yet');
  }

  /** Newest first. */
  requests(): VisitorRequest[] {
    throw new Error('not built yet');
  }

  get requestsWaiting(): number {
    throw new Error('not built yet');
  }

  /** Pins the certificate that the visitor proved, and makes a friend. @throws {FriendError} */
  accept(_email: Email): KnownPeer {
    throw new Error('not built yet');
  }

  /** @throws {FriendError} `not_found`. */
  refuse(_email: Email): void {
    throw new Error('not built yet');
  }
}
