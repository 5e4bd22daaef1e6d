import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { CertificateClaims } from '../../identity/certificate.ts';
import type { Fingerprint, PublicKeyHash } from '../../identity/fingerprint.ts';
import type { Email } from '../../wire/email.ts';

/** A visitor whom the policy did not admit, and who proved this certificate's key by TLS. */
export interface VisitorRequest {
  readonly email: Email;
  readonly fingerprint: Fingerprint;
  readonly publicKeyHash: PublicKeyHash;
  readonly certificatePem: string;
  /** Where the last knock came from. */
  readonly address: string;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly times: number;
}

/** Unanswered requests kept: more than a person will read; the oldest goes first. */
export const waitingRequestsMax = 200;
/** Refusals remembered, so that who was refused does not ask again. */
const refusedRequestsMax = 1000;

/** Knocks within this time are one: a page with many files is one visit, and not one write each. */
const knockPrecisionMs = 60_000;

const RowSchema = z.object({
  email: z.string(),
  public_key_hash: z.string(),
  fingerprint: z.string(),
  certificate: z.string(),
  address: z.string(),
  first_at_ms: z.number(),
  last_at_ms: z.number(),
  times: z.number(),
});

/** The table of knocks. */
export class VisitorRequests {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** @returns whether this is somebody new whom the user has not seen yet. */
  record(claims: CertificateClaims, address: string, nowMs: number): boolean {
    const seen = this.#database
      .prepare('SELECT last_at_ms AS lastAtMs FROM requests WHERE email = ? AND public_key_hash = ?')
      .get(claims.email, claims.publicKeyHash);
    if (seen === undefined) {
      this.#database
        .prepare('INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, 1, NULL)')
        .run(claims.email, claims.publicKeyHash, claims.fingerprint, claims.pem, address, nowMs, nowMs);
      this.#dropOldest('refused_at_ms IS NULL', waitingRequestsMax);
      return true;
    }
    const lastAtMs = z.number().parse(seen['lastAtMs']);
    if (Math.abs(nowMs - lastAtMs) < knockPrecisionMs) return false;
    this.#database
      .prepare(
        `UPDATE requests SET fingerprint = ?, certificate = ?, address = ?, last_at_ms = ?, times = times + 1
         WHERE email = ? AND public_key_hash = ?`,
      )
      .run(claims.fingerprint, claims.pem, address, nowMs, claims.email, claims.publicKeyHash);
    return false;
  }

  /** Newest first. */
  waiting(): VisitorRequest[] {
    return this.#database
      .prepare('SELECT * FROM requests WHERE refused_at_ms IS NULL ORDER BY last_at_ms DESC, email')
      .all()
      .map(readRow);
  }

  waitingOf(email: Email): VisitorRequest[] {
    return this.#database
      .prepare('SELECT * FROM requests WHERE refused_at_ms IS NULL AND email = ? ORDER BY last_at_ms DESC')
      .all(email)
      .map(readRow);
  }

  waitingCount(): number {
    const row = this.#database
      .prepare('SELECT count(*) AS n FROM requests WHERE refused_at_ms IS NULL')
      .get();
    return z.number().parse(row?.['n']);
  }

  /** Forgets all requests under this e-mail, refused ones too: it was answered by making a friend. */
  forget(email: Email): void {
    this.#database.prepare('DELETE FROM requests WHERE email = ?').run(email);
  }

  /** @returns how many were waiting. */
  refuse(email: Email, nowMs: number): number {
    const { changes } = this.#database
      .prepare('UPDATE requests SET refused_at_ms = ? WHERE email = ? AND refused_at_ms IS NULL')
      .run(nowMs, email);
    this.#dropOldest('refused_at_ms IS NOT NULL', refusedRequestsMax);
    return Number(changes);
  }

  #dropOldest(which: string, countMax: number): void {
    this.#database
      .prepare(
        `DELETE FROM requests WHERE (email, public_key_hash) IN (
           SELECT email, public_key_hash FROM requests WHERE ${which} ORDER BY last_at_ms DESC LIMIT -1 OFFSET ?)`,
      )
      .run(countMax);
  }
}

function readRow(raw: unknown): VisitorRequest {
  const row = RowSchema.parse(raw);
  return {
    email: row.email,
    fingerprint: row.fingerprint,
    publicKeyHash: row.public_key_hash,
    certificatePem: row.certificate,
    address: row.address,
    firstAtMs: row.first_at_ms,
    lastAtMs: row.last_at_ms,
    times: row.times,
  };
}
