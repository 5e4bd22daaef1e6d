import type { Fingerprint } from '../../identity/fingerprint.ts';
import type { TokenBucket } from '../../util/token-bucket.ts';
import type { Email } from '../../wire/email.ts';
import type { AnnouncedPeer } from '../../wire/relay-http.ts';
import type { BroadcastRecord, CertificateRecord, StoredClient } from '../store/store.ts';

/** One registered person with the certificates of their devices and where they are, if they say so. */
export interface Account {
  readonly clientId: string;
  readonly email: Email;
  readonly certificates: Map<Fingerprint, CertificateRecord>;
  live: LiveBroadcast | undefined;
}

export interface LiveBroadcast {
  readonly record: BroadcastRecord;
  /** Answer to a look-up, JSON; made at the first question, kept until the next broadcast. */
  json: string | undefined;
  /** Text of the request it came from: a refresh is the same bytes again and need not be parsed again. */
  readonly requestText: string | undefined;
}

/** A certificate that may speak for an account. */
export interface Credential {
  readonly account: Account;
  readonly notAfterMs: number;
  /** Made at the certificate's first request. */
  bucket: TokenBucket | undefined;
}

/**
 * Everything that the tracker answers from: accounts by e-mail and by certificate, and the announced ones in order
 * of e-mail. Memory only and synchronous; the store has it first.
 */
export class Directory {
  readonly #accountByEmail = new Map<Email, Account>();
  readonly #credentialByFingerprint = new Map<Fingerprint, Credential>();
  readonly #accountByClientId = new Map<string, Account>();
  /**
   * Accounts with a broadcast, by e-mail. An array: inserting moves memory (tens of microseconds at 100,000), and happens
   * when somebody comes or goes, not at a refresh; reading pages of it is what happens all the time.
   */
  readonly #announced: Account[] = [];

  load(stored: StoredClient): void {
    const account = this.#accountFor(stored.client.clientId, stored.client.email);
    for (const certificate of stored.certificates) this.#addCertificate(account, certificate);
    if (stored.broadcast !== undefined) this.putBroadcast(account, stored.broadcast, undefined);
  }

  addCertificate(email: Email, certificate: CertificateRecord): Account {
    const account = this.#accountFor(certificate.clientId, email);
    this.#addCertificate(account, certificate);
    return account;
  }

  accountByEmail(email: Email): Account | undefined {
    return this.#accountByEmail.get(email);
  }

  credential(fingerprint: Fingerprint): Credential | undefined {
    return this.#credentialByFingerprint.get(fingerprint);
  }

  putBroadcast(account: Account, record: BroadcastRecord, requestText: string | undefined): void {
    if (account.live === undefined) this.#announced.splice(this.#indexAfter(account.email, true), 0, account);
    account.live = { record, json: undefined, requestText };
  }

  /** Removes an account's broadcast, or only the one named: a newer one must survive the expiry of an older. */
  removeBroadcast(clientId: string, broadcastId?: string): boolean {
    const account = this.#accountByClientId.get(clientId);
    if (account?.live === undefined) return false;
    if (broadcastId !== undefined && account.live.record.broadcastId !== broadcastId) return false;
    account.live = undefined;
    this.#announced.splice(this.#indexAfter(account.email, true), 1);
    return true;
  }

  /** Up to `limit` announced accounts that `isVisible`, those with an e-mail greater than `after`, in order. */
  announcedAfter(after: Email, limit: number, isVisible: (account: Account) => boolean): Account[] {
    const found: Account[] = [];
    for (let index = this.#indexAfter(after, false); index < this.#announced.length; index += 1) {
      const account = this.#announced[index];
      if (account === undefined || found.length === limit) break;
      if (isVisible(account)) found.push(account);
    }
    return found;
  }

  get accountCount(): number {
    return this.#accountByEmail.size;
  }

  get announcedCount(): number {
    return this.#announced.length;
  }

  #accountFor(clientId: string, email: Email): Account {
    let account = this.#accountByEmail.get(email);
    if (account === undefined) {
      account = { clientId, email, certificates: new Map(), live: undefined };
      this.#accountByEmail.set(email, account);
      this.#accountByClientId.set(clientId, account);
    }
    return account;
  }

  #addCertificate(account: Account, certificate: CertificateRecord): void {
    account.certificates.set(certificate.fingerprint, certificate);
    this.#credentialByFingerprint.set(certificate.fingerprint, {
      account,
      notAfterMs: certificate.notAfterMs,
      bucket: undefined,
    });
  }

  /** Index of the first announced e-mail greater than `email`, or with `orEqual` not less than it. */
  #indexAfter(email: Email, orEqual: boolean): number {
    let low = 0;
    let high = this.#announced.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#announced[middle]?.email ?? '';
      if (other < email || (!orEqual && other === email)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The JSON that look-up and list give of a live broadcast. */
export function announcedPeerJson(account: Account, live: LiveBroadcast): string {
  if (live.json === undefined) {
    const { record } = live;
    const peer: AnnouncedPeer = {
      email: account.email,
      port: record.port,
      addresses: [...record.addresses],
      observed_address: record.observedAddress,
      capabilities: [...record.capabilities],
      last_seen: new Date(record.readyAtMs).toISOString(),
    };
    live.json = JSON.stringify(peer);
  }
  return live.json;
}
