import { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import type { Identity } from '../../identity/key-store.ts';
import type { Clock } from '../../util/clock.ts';
import type { RelayClient } from './relay-client.ts';

export interface IdentityRenewalOptions {
  readonly identity: Identity;
  /** Where the identity lives. */
  readonly folder: string;
  /** Undefined: no relay is set; the new certificate is registered at whichever comes. */
  readonly relay: RelayClient | undefined;
  readonly log: Logger;
  readonly clock?: Clock;
}

export interface IdentityRenewalEvents {
  /** Saved, registered, and used by the relay client already: the house switches its TLS context. */
  identityRenewed: [identity: Identity];
}

/** Checks now and then daily whether the certificate ends soon; registers the new one with the old one's proof, saves it, switches. */
export class IdentityRenewal extends EventEmitter<IdentityRenewalEvents> implements AsyncDisposable {
  constructor(_options: IdentityRenewalOptions) {
    super();
    throw new Error('not built yet');
  }

  /** The one in force. Pass `() => renewal.current` to whatever shows a certificate. */
  get current(): Identity {
    throw new Error('not built yet');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    throw new Error('not built yet');
  }
}
