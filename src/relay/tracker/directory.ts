import type { Fingerprint } from '../../identity/fingerprint.ts';
import type { TokenBucket } from '../../util/token-bucket.ts';
import type { Email } from '../../wire/email.ts';
import type { AnnouncedPeer } from '../../wire/relay-http.ts';
import type { BroadcastRecord, CertificateRecord, ExpiredBroadcast, StoredClient } from '../store/store.ts';

/** One registered person with the certificates of their devices and where they are, if they say so. */
export interface Account {
  readonly clientId: string;
  readonly email: Email;
  readonly certificates: Map<Fingerprint, CertificateRecord>;
  live: LiveBroadcast | undefined;
}

export interface LiveBroadcast {
  readonly record: BroadcastRecord;
  /** The friends of a broadcast for friends: 500 names are looked through for each viewer of each list. */
  readonly visibleTo: ReadonlySet<Email> | undefined;
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
 * Everything that the tracker answers from: accounts by e-mail and by certificate, and the listed ones in order
 * of e-mail. Memory only and synchronous; the store has it first.
 */
export class Directory {
  readonly #accountByEmail = new Map<Email, Account>();
  readonly #credentialByFingerprint = new Map<Fingerprint, Credential>();
  readonly #accountByClientId = new Map<string, Account>();
  /**
   * Accounts whose broadcast somebody else may see, by e-mail. An array: inserting moves memory (0.1 ms at 100,000), and
   * happens when somebody comes or goes, not at a refresh; reading pages of it is what happens all the time.
   */
  #listed: Account[] = [];

  /** Takes over everything stored; the list is made once, at the end. */
  async load(pages: AsyncIterable<readonly StoredClient[]>): Promise<void> {
    for await (const page of pages) {
      for (const { client, certificates, broadcast } of page) {
        const account = this.#accountFor(client.clientId, client.email);
        for (const certificate of certificates) this.#addCertificate(account, certificate);
        if (broadcast !== undefined) account.live = liveBroadcast(broadcast, undefined);
      }
    }
    this.#listed = [...this.#accountByEmail.values()]
      .filter(isListed)
      .sort((one, other) => (one.email < other.email ? -1 : 1));
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
    const wasListed = isListed(account);
    account.live = liveBroadcast(record, requestText);
    if (isListed(account) === wasListed) return;
    const index = this.#indexAfter(account.email, true);
    if (wasListed) this.#listed.splice(index, 1);
    else this.#listed.splice(index, 0, account);
  }

  removeBroadcast(clientId: string): void {
    const account = this.#accountByClientId.get(clientId);
    if (account === undefined) return;
    if (isListed(account)) this.#listed.splice(this.#indexAfter(account.email, true), 1);
    account.live = undefined;
  }

  /**
   * Removes broadcasts that expired, each by its own id: a newer one must survive the expiry of an older. In one pass:
   * after an hour without network all of them go at once.
   */
  removeExpired(expired: readonly ExpiredBroadcast[]): void {
    for (const { clientId, broadcastId } of expired) {
      const account = this.#accountByClientId.get(clientId);
      if (account?.live?.record.broadcastId === broadcastId) account.live = undefined;
    }
    this.#listed = this.#listed.filter(isListed);
  }

  /** Up to `limit` listed accounts that `isVisible`, those with an e-mail greater than `after`, in order. */
  listedAfter(after: Email, limit: number, isVisible: (account: Account) => boolean): Account[] {
    const found: Account[] = [];
    for (let index = this.#indexAfter(after, false); index < this.#listed.length; index += 1) {
      const account = this.#listed[index];
      if (account === undefined || found.length === limit) break;
      if (isVisible(account)) found.push(account);
    }
    return found;
  }

  get accountCount(): number {
    return this.#accountByEmail.size;
  }

  get listedCount(): number {
    return this.#listed.length;
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

  /** Index of the first listed e-mail greater than `email`, or with `orEqual` not less than it. */
  #indexAfter(email: Email, orEqual: boolean): number {
    let low = 0;
    let high = this.#listed.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#listed[middle]?.email ?? '';
      if (other < email || (!orEqual && other === email)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function liveBroadcast(record: BroadcastRecord, requestText: string | undefined): LiveBroadcast {
  const visibleTo = record.announce === 'friends' ? new Set(record.visibleTo) : undefined;
  return { record, visibleTo, json: undefined, requestText };
}

/** Whether somebody else may see it; a broadcast for nobody only keeps the client's own place. */
function isListed(account: Account): boolean {
  return account.live !== undefined && account.live.record.announce !== 'none';
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
