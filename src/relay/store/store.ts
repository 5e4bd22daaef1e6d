/**
 * What the relay remembers across restarts, and the one interface through which it does.
 *
 * The tracker keeps everything hot in memory and writes through this interface before it acknowledges anything, so a
 * promise that resolved is a promise kept:
 *
 * | call | survives when it has resolved |
 * |---|---|
 * | `registerClient`, `addCertificate` | power loss (flushed to the disk before the answer) |
 * | `putBroadcast`, `deleteBroadcast`, `deleteExpiredBroadcasts` | `kill -9` of the relay (handed to the operating system) |
 *
 * Calls are collected and committed in groups: calling many times without waiting in between is cheap, waiting for
 * each call before the next is not. Calls about one client take effect in the order in which they were made.
 *
 * Every call rejects with a `StoreError` (store-error.ts): `store_overloaded` when too much is waiting,
 * `store_failed` once the engine is gone for good, `store_unavailable` when it is away for now, `store_closed` after
 * disposal, `store_bad_value` for text that no engine can keep (a NUL or half a surrogate pair) or an id that is no
 * UUID. Answers that belong to normal life (an e-mail that is taken) are return values.
 *
 * Mailbox rows come to live beside these: as further methods here, a further numbered migration and a further kind of
 * operation in each engine.
 */

export interface ClientRecord {
  /** UUID, lower case. */
  readonly clientId: string;
  /** Canonical lower case; unique over the relay. */
  readonly email: string;
  readonly createdAtMs: number;
}

/** A client has one certificate per device; a certificate belongs to one client of the whole relay. */
export interface CertificateRecord {
  /** SHA-256 of the DER, 64 lower-case hexadecimal digits; unique over the relay. */
  readonly fingerprint: string;
  readonly clientId: string;
  readonly pem: string;
  readonly notAfterMs: number;
  readonly addedAtMs: number;
}

/** Who may see a broadcast. */
export type Announce = 'all' | 'friends' | 'none';

/** Where a client says it can be reached; at most one per client. */
export interface BroadcastRecord {
  /** UUID, lower case; a new one for each `ready`. */
  readonly broadcastId: string;
  readonly clientId: string;
  /** 1 to 65535. */
  readonly port: number;
  /** IP literals in the order in which the client gave them. */
  readonly addresses: readonly string[];
  /** The address the relay saw the client come from. */
  readonly observedAddress: string;
  readonly announce: Announce;
  /** E-mails that may see the broadcast when `announce` is `friends`; empty otherwise. At most 500. */
  readonly visibleTo: readonly string[];
  readonly capabilities: readonly string[];
  readonly readyAtMs: number;
  /** The broadcast is live while `nowMs < expiresAtMs`. */
  readonly expiresAtMs: number;
}

export interface Registration {
  /** The id the client gets when the registration is new. */
  readonly clientId: string;
  readonly email: string;
  readonly certificate: Pick<CertificateRecord, 'fingerprint' | 'pem' | 'notAfterMs'>;
  readonly nowMs: number;
}

/**
 * What became of a registration. Of concurrent ones for one e-mail exactly one is `registered`, decided by the
 * database's unique constraints.
 *
 * - `registered`: the client and its certificate are new and stored.
 * - `already`: this e-mail already has this certificate; `clientId` is the one it was given then.
 * - `email-taken`: this e-mail belongs to a client without this certificate.
 * - `certificate-taken`: the e-mail is free but the certificate belongs to another client.
 */
export type RegistrationResult =
  | { readonly kind: 'registered'; readonly clientId: string }
  | { readonly kind: 'already'; readonly clientId: string }
  | { readonly kind: 'email-taken' }
  | { readonly kind: 'certificate-taken' };

export type CertificateAddition = Pick<Registration, 'clientId' | 'certificate' | 'nowMs'>;

/** `certificate-taken`: the certificate belongs to another client. */
export type CertificateAdditionResult = { readonly kind: 'added' } | { readonly kind: 'certificate-taken' };

/** A broadcast that was removed; its client may have a newer one in the caller's memory, hence both ids. */
export type ExpiredBroadcast = Pick<BroadcastRecord, 'clientId' | 'broadcastId'>;

/** Everything stored about one client. */
export interface StoredClient {
  readonly client: ClientRecord;
  readonly certificates: readonly CertificateRecord[];
  readonly broadcast: BroadcastRecord | undefined;
}

export interface ProbeOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Disposal refuses new calls, finishes those that were made, and closes the engine. */
export interface Store extends AsyncDisposable {
  readonly engine: 'sqlite' | 'postgres';
  /** The number of the newest migration that the database has. */
  readonly schemaVersion: number;

  registerClient(registration: Registration): Promise<RegistrationResult>;

  /**
   * Adds a certificate to a client that exists, as durable as a registration: a renewal or a further device.
   * `added` as well when the client has this certificate already.
   * Rejects with `store_unknown_client` when there is no such client.
   */
  addCertificate(addition: CertificateAddition): Promise<CertificateAdditionResult>;

  /**
   * Stores the client's broadcast in place of an earlier one. Rejects with `store_unknown_client` when there is no
   * such client.
   */
  putBroadcast(broadcast: BroadcastRecord): Promise<void>;

  /** Removes the client's broadcast; resolves as well when there is none. */
  deleteBroadcast(clientId: string): Promise<void>;

  /** Removes every broadcast with `expiresAtMs <= nowMs` and says which. */
  deleteExpiredBroadcasts(nowMs: number): Promise<readonly ExpiredBroadcast[]>;

  /**
   * Every client in pages of some hundreds, with its certificates and the broadcast that is live at `nowMs`, in no
   * promised order. For start-up: what is written during the walk may be missed. Holds one page at a time.
   */
  loadAll(nowMs: number): AsyncIterable<readonly StoredClient[]>;

  /**
   * Writes a consistent copy, as of now, to `file` while calls go on; the file appears whole or not at all. Rejects
   * with `store_backup_refused` when `file` exists, or when the engine has its own tool for this (PostgreSQL:
   * pg_dump).
   */
  backup(file: string): Promise<void>;

  /**
   * Resolves when the engine answered a question within the time; rejects with `store_unavailable` or `store_failed`.
   */
  probe(options: ProbeOptions): Promise<void>;
}
