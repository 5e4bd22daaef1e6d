import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { CertificateClaims } from '../../identity/certificate.ts';
import type { Expected } from '../../identity/connect-pinned.ts';
import type { Identity } from '../../identity/key-store.ts';
import type { Clock } from '../../util/clock.ts';
import type { Email } from '../../wire/email.ts';
import type { FailureCode, Via } from '../../wire/local-api.ts';
import type { LocalAddress } from '../network/local-addresses.ts';
import type { RelayClient } from '../relay-client/relay-client.ts';
import type { StateStore } from '../state/state-store.ts';
import type { DialAttempt } from './dial-race.ts';

export interface DiscoveryOptions {
  readonly state: StateStore;
  /** Undefined: no relay is set, friends are found where they were last. */
  readonly relay: RelayClient | undefined;
  readonly identity: () => Identity;
  /** Of this machine now, and our house's port when it listens: an address that is our own is not dialled. */
  readonly local: () => {
    readonly addresses: readonly LocalAddress[];
    readonly housePort: number | undefined;
  };
  readonly log: Logger;
  readonly clock?: Clock;
}

/** A way to a peer that was proved to be one: everything that a PinnedClient needs. */
export interface PeerRoute {
  readonly email: Email;
  /** IP literal, with `%zone` when link-local. */
  readonly host: string;
  readonly port: number;
  /** For further connections. */
  readonly expected: Expected;
  /** The connection that won. Whoever holds the route owns it: use it or destroy it. */
  readonly firstSocket: TLSSocket;
  /** As in a URL: `192.168.1.5:4711`, `[fe80::1%eth0]:4711`. */
  readonly address: string;
  readonly via: Via;
  /** What the peer proved. */
  readonly claims: CertificateClaims;
  readonly attempts: readonly DialAttempt[];
}

/** Nobody was reached; `attempts` says what each address did. */
export class DiscoveryError extends Error {
  readonly code: Extract<
    FailureCode,
    'not_found' | 'unreachable' | 'identity_changed' | 'relay_away' | 'failed'
  >;
  readonly attempts: readonly DialAttempt[];
  /** With `identity_changed`: what was shown in place of the pinned certificate. */
  readonly presented?: string;

  constructor(
    code: DiscoveryError['code'],
    message: string,
    options: ErrorOptions & { readonly attempts?: readonly DialAttempt[]; readonly presented?: string } = {},
  ) {
    super(message, options);
    this.name = 'DiscoveryError';
    this.code = code;
    this.attempts = options.attempts ?? [];
    if (options.presented !== undefined) this.presented = options.presented;
  }
}

/** Finds the way to a person by e-mail (mission C3, C5, C8). */
export class Discovery {
  constructor(_options: DiscoveryOptions) {
    throw new Error('not built yet');
  }

  /** @throws {DiscoveryError}, or the signal's reason. */
  connect(_email: Email, _options?: { readonly signal?: AbortSignal }): Promise<PeerRoute> {
    throw new Error('not built yet');
  }
}
