import { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import type { KeyAndCertificate } from '../../identity/create-identity.ts';
import { type Identity, renewedIdentity, saveIdentity } from '../../identity/key-store.ts';
import { type Clock, systemClock } from '../../util/clock.ts';
import type { RelayClient } from './relay-client.ts';

export interface IdentityRenewalOptions {
  readonly identity: Identity;
  /** Where the identity lives. */
  readonly folder: string;
  /** Undefined: no relay is set, and nobody needs to be told. */
  readonly relay: RelayClient | undefined;
  readonly log: Logger;
  readonly clock?: Clock;
}

export interface IdentityRenewalEvents {
  /** Registered, saved, and used by the relay client already: the house switches its TLS context. */
  identityRenewed: [identity: Identity];
}

/** A certificate is renewed sixty days before its end: a day more or less is nothing. */
const checkIntervalMs = 86_400_000;
/** When the relay was away, or the disk full. */
const retryIntervalMs = 3_600_000;

/**
 * Renews the certificate before it ends, for the same key, so that friends who pinned it go on without noticing. The relay
 * is told first, over a connection that proves the old one: a certificate that it does not know would lock us out.
 * Looks at once and then daily; dispose it to stop.
 */
export class IdentityRenewal extends EventEmitter<IdentityRenewalEvents> implements AsyncDisposable {
  readonly #folder: string;
  readonly #relay: RelayClient | undefined;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #life = new AbortController();
  readonly #running: Promise<void>;
  #current: Identity;
  #wake: () => void = () => {};

  constructor(options: IdentityRenewalOptions) {
    super();
    this.#current = options.identity;
    this.#folder = options.folder;
    this.#relay = options.relay;
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
    this.#running = this.#run();
  }

  /** The one in force. Pass `() => renewal.current` to whatever shows a certificate. */
  get current(): Identity {
    return this.#current;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort(new Error('the renewal was stopped'));
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#life.signal.aborted) {
      const waitMs = await this.#renewWhenDue();
      // Stopped meanwhile: nobody would wake the wait.
      if (this.#life.signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      using _timer = this.#clock.after(waitMs, resolve);
      await promise;
    }
  }

  /** @returns when to look again, milliseconds from now. */
  async #renewWhenDue(): Promise<number> {
    try {
      const renewed = await renewedIdentity(this.#current, this.#clock.nowMs());
      if (renewed === undefined) return checkIntervalMs;
      await this.#register(renewed);
      this.#current = await saveIdentity(this.#folder, renewed);
      this.#relay?.useIdentity(this.#current);
      const { fingerprint, notAfterMs } = this.#current.claims;
      this.#log.info({ fingerprint, expires: new Date(notAfterMs).toISOString() }, 'certificate renewed');
      this.emit('identityRenewed', this.#current);
      return checkIntervalMs;
    } catch (error) {
      if (this.#life.signal.aborted) return checkIntervalMs;
      const { notAfterMs } = this.#current.claims;
      this.#log.warn({ error, expires: new Date(notAfterMs).toISOString() }, 'certificate not renewed yet');
      return retryIntervalMs;
    }
  }

  /** @throws when the new certificate must not be used yet. */
  async #register(renewed: KeyAndCertificate): Promise<void> {
    try {
      await this.#relay?.register(renewed.certificatePem, { signal: this.#life.signal });
    } catch (error) {
      // One that has ended proves nothing to the relay any more. To friends, who pinned the key, the new one still does.
      if (this.#current.claims.notAfterMs >= this.#clock.nowMs()) throw error;
      this.#log.error(
        { error },
        'the relay does not take the renewed certificate: ask its operator to reset the account',
      );
    }
  }
}
