import { randomUUID } from 'node:crypto';
import type { CertificateClaims } from '../../identity/certificate.ts';
import type { Fingerprint } from '../../identity/fingerprint.ts';
import type { Email } from '../../wire/email.ts';
import type { ReadyRequest } from '../../wire/relay-http.ts';
import type { Registration, Store } from '../store/store.ts';
import { type Account, type Credential, Directory, type LiveBroadcast } from './directory.ts';

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

/** The account that a connection has proven to be, or why it has not: the words of a 401. */
export type Authentication = { readonly credential: Credential } | { readonly refusal: string };

/**
 * Who is there and where: answers from memory, writes to the store before it says that something is done.
 * Knows nothing of HTTP.
 */
export class Tracker {
  readonly directory = new Directory();
  readonly broadcastLifetimeMs: number;
  readonly nowMs: () => number;
  readonly #store: Store;
  /** Certificates on their way to the store: requests at once must not pass the limit together. */
  readonly #addingByAccount = new Map<Account, number>();

  constructor(options: TrackerOptions) {
    this.#store = options.store;
    this.broadcastLifetimeMs = options.broadcastLifetimeMs ?? broadcastLifetimeMsDefault;
    this.nowMs = options.nowMs ?? Date.now;
  }

  /** Reads the whole store; call once, before the first request. */
  load(): Promise<void> {
    return this.directory.load(this.#store.loadAll(this.nowMs()));
  }

  /** @param fingerprint of the certificate whose key TLS has proven; undefined when none was shown. */
  authenticate(fingerprint: Fingerprint | undefined): Authentication {
    if (fingerprint === undefined) return { refusal: 'a client certificate is required' };
    const credential = this.directory.credential(fingerprint);
    if (credential === undefined) return { refusal: 'the client certificate is not registered' };
    if (this.nowMs() > credential.notAfterMs) return { refusal: 'the client certificate has expired' };
    return { credential };
  }

  /** Whether registering it would be the nothing that it is at each start of a client. */
  hasCertificate({ email, fingerprint }: CertificateClaims): boolean {
    return this.directory.accountByEmail(email)?.certificates.has(fingerprint) === true;
  }

  /**
   * Registers a certificate for the e-mail in it. With `asAccount`, the account that the caller's connection has
   * proven to be, the certificate joins that account: a renewal, or a further device.
   */
  async register(claims: CertificateClaims, asAccount: Account | undefined): Promise<RegisterResult> {
    const { email, fingerprint, pem, notAfterMs } = claims;
    const certificate = { fingerprint, pem, notAfterMs };
    const known = this.directory.accountByEmail(email);
    if (known !== undefined && this.hasCertificate(claims))
      return { kind: 'registered', clientId: known.clientId };
    const nowMs = this.nowMs();
    if (known !== undefined)
      return asAccount === known ? this.#addCertificate(known, certificate, nowMs) : { kind: 'email-taken' };
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
    const announce = request.announce ?? 'all';
    const record = {
      broadcastId: randomUUID(),
      clientId: account.clientId,
      port: request.port,
      addresses: request.addresses,
      observedAddress,
      announce,
      visibleTo: announce === 'friends' ? (request.friends ?? []) : [],
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
    return this.directory.listedAfter(
      after,
      limit,
      (account) => account !== viewer && this.#isVisible(account, viewer),
    );
  }

  /** Removes what expired; returns how many went. */
  async removeExpired(): Promise<number> {
    const expired = await this.#store.deleteExpiredBroadcasts(this.nowMs());
    if (expired.length > 0) this.directory.removeExpired(expired);
    return expired.length;
  }

  async #addCertificate(
    account: Account,
    certificate: Registration['certificate'],
    nowMs: number,
  ): Promise<RegisterResult> {
    const { clientId, email } = account;
    const adding = this.#addingByAccount.get(account) ?? 0;
    if (account.certificates.size + adding >= certificatesPerAccountMax)
      return { kind: 'too-many-certificates' };
    this.#addingByAccount.set(account, adding + 1);
    try {
      const added = await this.#store.addCertificate({ clientId, certificate, nowMs });
      if (added.kind === 'certificate-taken') return added;
      this.directory.addCertificate(email, { ...certificate, clientId, addedAtMs: nowMs });
      return { kind: 'registered', clientId };
    } finally {
      const left = (this.#addingByAccount.get(account) ?? 1) - 1;
      if (left > 0) this.#addingByAccount.set(account, left);
      else this.#addingByAccount.delete(account);
    }
  }

  #isVisible(account: Account, viewer: Account): boolean {
    const { live } = account;
    if (live === undefined || live.record.expiresAtMs <= this.nowMs()) return false;
    if (live.record.announce === 'all' || account === viewer) return true;
    return live.visibleTo?.has(viewer.email) === true;
  }
}
