import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { CertificateClaims } from '../../identity/certificate.ts';
import type { Expected } from '../../identity/connect-pinned.ts';
import type { Fingerprint, PublicKeyHash } from '../../identity/fingerprint.ts';
import type { Email } from '../../wire/email.ts';

/** On whose word a key was pinned: the relay's, the user's (a fingerprint compared), or the peer's own proof when it knocked. */
const pinOrigins = ['relay', 'user', 'request', 'import'] as const;
export type PinOrigin = (typeof pinOrigins)[number];

/** What a pin says of a peer. A renewed certificate has another fingerprint and the same public key. */
export interface Pin {
  readonly fingerprint: Fingerprint;
  /** Both absent while only the fingerprint is known, from the user. */
  readonly publicKeyHash?: PublicKeyHash;
  readonly certificatePem?: string;
}

/** A person whose key is pinned: a friend, or somebody visited once. */
export interface KnownPeer extends Pin {
  readonly email: Email;
  readonly origin: PinOrigin;
  readonly pinnedAtMs: number;
  /** Set for friends. */
  readonly friendSinceMs?: number;
  /** Another key was shown under this e-mail; only the user decides whether it is right. */
  readonly changed?: { readonly fingerprint: Fingerprint; readonly seenAtMs: number };
}

/** Pins of people who are no friends. Forgetting one means trusting the relay once more, so the number is generous. */
export const firstUsePinsMax = 10_000;

/** The time of the last use orders what is forgotten first; finer than this is not worth a write. */
const usePrecisionMs = 3_600_000;

const RowSchema = z.object({
  email: z.string(),
  fingerprint: z.string(),
  public_key_hash: z.string().nullable(),
  certificate: z.string().nullable(),
  origin: z.enum(pinOrigins),
  pinned_at_ms: z.number(),
  friend_since_ms: z.number().nullable(),
  changed_fingerprint: z.string().nullable(),
  changed_at_ms: z.number().nullable(),
});

/** The table of pinned keys. Each call is one transaction, or part of the caller's. */
export class KnownPeers {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(email: Email): KnownPeer | undefined {
    const row = this.#database.prepare('SELECT * FROM known_peers WHERE email = ?').get(email);
    return row === undefined ? undefined : readRow(row);
  }

  /** By e-mail. */
  friends(): KnownPeer[] {
    return this.#database
      .prepare('SELECT * FROM known_peers WHERE friend_since_ms IS NOT NULL ORDER BY email')
      .all()
      .map(readRow);
  }

  /** Friends and others, by e-mail. */
  all(): KnownPeer[] {
    return this.#database.prepare('SELECT * FROM known_peers ORDER BY email').all().map(readRow);
  }

  /** Pins a key, in place of any other; a friend stays one, and a pending change is settled. */
  pin(email: Email, pin: Pin, origin: PinOrigin, nowMs: number): void {
    this.#database
      .prepare(
        `INSERT INTO known_peers (email, fingerprint, public_key_hash, certificate, origin, pinned_at_ms, used_at_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (email) DO UPDATE SET fingerprint = excluded.fingerprint,
           public_key_hash = excluded.public_key_hash, certificate = excluded.certificate, origin = excluded.origin,
           pinned_at_ms = excluded.pinned_at_ms, used_at_ms = excluded.used_at_ms,
           changed_fingerprint = NULL, changed_at_ms = NULL`,
      )
      .run(
        email,
        pin.fingerprint,
        pin.publicKeyHash ?? null,
        pin.certificatePem ?? null,
        origin,
        nowMs,
        nowMs,
      );
    this.#forgetLeastUsed();
  }

  /**
   * The peer proved the pinned key: its certificate is completed or brought up to date, and a change that was seen
   * elsewhere is void, because it was somebody else's.
   */
  confirm(email: Email, claims: CertificateClaims, nowMs: number): void {
    this.#database
      .prepare(
        `UPDATE known_peers SET fingerprint = ?1, public_key_hash = ?2, certificate = ?3, used_at_ms = ?4,
           changed_fingerprint = NULL, changed_at_ms = NULL
         WHERE email = ?5 AND (fingerprint != ?1 OR certificate IS NULL OR changed_fingerprint IS NOT NULL OR used_at_ms < ?6)`,
      )
      .run(claims.fingerprint, claims.publicKeyHash, claims.pem, nowMs, email, nowMs - usePrecisionMs);
  }

  /** Another key was shown under this e-mail. */
  markChanged(email: Email, fingerprint: Fingerprint, nowMs: number): void {
    this.#database
      .prepare(
        `UPDATE known_peers SET changed_fingerprint = ?1, changed_at_ms = ?2
         WHERE email = ?3 AND changed_fingerprint IS NOT ?1`,
      )
      .run(fingerprint, nowMs, email);
  }

  /** @returns whether somebody became a friend who was none. */
  makeFriend(email: Email, nowMs: number): boolean {
    const { changes } = this.#database
      .prepare('UPDATE known_peers SET friend_since_ms = ? WHERE email = ? AND friend_since_ms IS NULL')
      .run(nowMs, email);
    return changes > 0;
  }

  /** The key stays pinned: who is a friend no more is still the same person. @returns whether it was a friend. */
  unmakeFriend(email: Email): boolean {
    const { changes } = this.#database
      .prepare(
        'UPDATE known_peers SET friend_since_ms = NULL WHERE email = ? AND friend_since_ms IS NOT NULL',
      )
      .run(email);
    return changes > 0;
  }

  #forgetLeastUsed(): void {
    this.#database
      .prepare(
        `DELETE FROM known_peers WHERE email IN (
           SELECT email FROM known_peers WHERE friend_since_ms IS NULL ORDER BY used_at_ms DESC LIMIT -1 OFFSET ?)`,
      )
      .run(firstUsePinsMax);
  }
}

/** Whether a certificate is the pinned one, or a renewed one for the same key. */
export function matchesPin(
  pin: Pin,
  claims: Pick<CertificateClaims, 'fingerprint' | 'publicKeyHash'>,
): boolean {
  return (
    pin.fingerprint === claims.fingerprint ||
    (pin.publicKeyHash !== undefined && pin.publicKeyHash === claims.publicKeyHash)
  );
}

/** What {@link connectPinned} must find at the other end. */
export function expectedOf(pin: Pin): Expected {
  return {
    kind: 'pinned',
    fingerprints: [pin.fingerprint],
    ...(pin.publicKeyHash !== undefined && { publicKeyHashes: [pin.publicKeyHash] }),
  };
}

export function pinOf(claims: CertificateClaims): Pin {
  return {
    fingerprint: claims.fingerprint,
    publicKeyHash: claims.publicKeyHash,
    certificatePem: claims.pem,
  };
}

function readRow(raw: unknown): KnownPeer {
  const row = RowSchema.parse(raw);
  return {
    email: row.email,
    fingerprint: row.fingerprint,
    origin: row.origin,
    pinnedAtMs: row.pinned_at_ms,
    ...(row.public_key_hash !== null && { publicKeyHash: row.public_key_hash }),
    ...(row.certificate !== null && { certificatePem: row.certificate }),
    ...(row.friend_since_ms !== null && { friendSinceMs: row.friend_since_ms }),
    ...(row.changed_fingerprint !== null && {
      changed: { fingerprint: row.changed_fingerprint, seenAtMs: row.changed_at_ms ?? 0 },
    }),
  };
}
