import { randomUUID } from 'node:crypto';
import type { CertificateClaims } from '../../identity/certificate.ts';
import type { Email } from '../../wire/email.ts';
import type { ReadyRequest } from '../../wire/relay-http.ts';
import type { Store } from '../store/store.ts';
import { type Account, Directory, type LiveBroadcast } from './directory.ts';

/** A broadcast lives one hour (mission T5). */
export const broadcastLifetimeMsDefault = 3_600_000;
/** One account's devices, and room for a renewal of each. */
export const certificatesPerAccountMax = 16;

export interface TrackerOptions {
  readonly store: Store;
  readonly broadcastLifetimeMs?: number;
  readonly nowMs?: () => number;
}

export type RegisterResult =
  | { readonly kind: 'registered'; readonly clientId: string }
  | { readonly kind: 'email-taken' }
  | { readonly kind: 'certificate-taken' }
  | { readonly kind: 'too-many-certificates' };

/**
 * Who is there and where: answers from memory, writes to the store before it says that something is done.
 * Knows nothing of HTTP.
 */
export class Tracker {
  readonly directory = new Directory();
  readonly broadcastLifetimeMs: number;
  readonly nowMs: () => number;
  readonly #store: Store;

  constructor(options: TrackerOptions) {
    this.#store = options.store;
    this.broadcastLifetimeMs = options.broadcastLifetimeMs ?? broadcastLifetimeMsDefault;
    this.nowMs = options.nowMs ?? Date.now;
  }

  /** Reads the whole store; call once, before the first request. */
  async load(): Promise<void> {
    for await (const page of this.#store.loadAll(this.nowMs())) {
      for (const stored of page) this.directory.load(stored);
    }
  }

  /**
   * Registers a certificate for the e-mail in it. With `asAccount`, the account that the caller's connection has
   * proven to be, the certificate joins that account: a renewal, or a further device.
   */
  async register(claims: CertificateClaims, asAccount: Account | undefined): Promise<RegisterResult> {
    const { email, fingerprint, pem, notAfterMs } = claims;
    const certificate = { fingerprint, pem, notAfterMs };
    const known = this.directory.accountByEmail(email);
    if (known?.certificates.has(fingerprint) === true)
      return { kind: 'registered', clientId: known.clientId };
    const nowMs = this.nowMs();
    if (known !== undefined) {
      if (asAccount !== known) return { kind: 'email-taken' };
      if (known.certificates.size >= certificatesPerAccountMax) return { kind: 'too-many-certificates' };
      const added = await this.#store.addCertificate({ clientId: known.clientId, certificate, nowMs });
      if (added.kind === 'certificate-taken') return added;
      this.directory.addCertificate(email, { ...certificate, clientId: known.clientId, addedAtMs: nowMs });
      return { kind: 'registered', clientId: known.clientId };
    }
    const result = await this.#store.registerClient({ clientId: randomUUID(), email, certificate, nowMs });
    if (result.kind === 'email-taken' || result.kind === 'certificate-taken') return result;
    const { clientId } = result;
    this.directory.addCertificate(email, { ...certificate, clientId, addedAtMs: nowMs });
    return { kind: 'registered', clientId };
  }

  /** Inserts or replaces the account's broadcast; `requestText` is kept to recognise a refresh. */
  async ready(
    account: Account,
    request: ReadyRequest,
    observedAddress: string,
    requestText: string | undefined,
  ): Promise<LiveBroadcast['record']> {
    const nowMs = this.nowMs();
    const record = {
      broadcastId: randomUUID(),
      clientId: account.clientId,
      port: request.port,
      addresses: request.addresses,
      observedAddress,
      announce: request.announce ?? 'all',
      visibleTo: request.friends ?? [],
      capabilities: request.capabilities ?? [],
      readyAtMs: nowMs,
      expiresAtMs: nowMs + this.broadcastLifetimeMs,
    } as const;
    await this.#store.putBroadcast(record);
    this.directory.putBroadcast(account, record, requestText);
    return record;
  }

  async withdraw(account: Account): Promise<void> {
    await this.#store.deleteBroadcast(account.clientId);
    this.directory.removeBroadcast(account.clientId);
  }

  /** The live broadcast that `viewer` may see of `email`; unknown, hidden and expired are the same nothing. */
  lookup(email: Email, viewer: Account): { account: Account; live: LiveBroadcast } | undefined {
    const account = this.directory.accountByEmail(email);
    const live = account?.live;
    if (account === undefined || live === undefined || !this.#isVisible(account, viewer)) return undefined;
    return { account, live };
  }

  /** Accounts announced to `viewer`, himself left out, by e-mail, from the first one after `after`. */
  list(viewer: Account, after: Email, limit: number): Account[] {
    return this.directory.announcedAfter(
      after,
      limit,
      (account) => account !== viewer && this.#isVisible(account, viewer),
    );
  }

  /** Removes what expired; returns how many went. */
  async removeExpired(): Promise<number> {
    const expired = await this.#store.deleteExpiredBroadcasts(this.nowMs());
    for (const { clientId, broadcastId } of expired) this.directory.removeBroadcast(clientId, broadcastId);
    return expired.length;
  }

  #isVisible(account: Account, viewer: Account): boolean {
    const record = account.live?.record;
    if (record === undefined || record.expiresAtMs <= this.nowMs()) return false;
    if (record.announce === 'all' || account === viewer) return true;
    return record.announce === 'friends' && record.visibleTo.includes(viewer.email);
  }
}
