import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { Email } from '../../wire/email.ts';

/** Where a peer answered, and proved its key, last. */
export interface KnownAddress {
  /** IP literal, with `%zone` when link-local. */
  readonly host: string;
  readonly port: number;
  readonly verifiedAtMs: number;
}

/** Everybody one is likely to visit again; the longest unverified goes first. */
export const knownAddressesMax = 10_000;

/** An address that is verified every minute is written down this often. */
const verificationPrecisionMs = 600_000;

const RowSchema = z.object({
  email: z.string(),
  host: z.string(),
  port: z.number(),
  verified_at_ms: z.number(),
});

/** The table of winning addresses (mission C3). */
export class KnownAddresses {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(email: Email): KnownAddress | undefined {
    const row = this.#database.prepare('SELECT * FROM addresses WHERE email = ?').get(email);
    return row === undefined ? undefined : readRow(row)[1];
  }

  all(): Map<Email, KnownAddress> {
    return new Map(this.#database.prepare('SELECT * FROM addresses').all().map(readRow));
  }

  put(email: Email, host: string, port: number, nowMs: number): void {
    const known = this.get(email);
    const isSame = known?.host === host && known.port === port;
    if (isSame && Math.abs(nowMs - known.verifiedAtMs) < verificationPrecisionMs) return;
    this.#database
      .prepare(
        `INSERT INTO addresses VALUES (?, ?, ?, ?)
         ON CONFLICT (email) DO UPDATE SET host = excluded.host, port = excluded.port, verified_at_ms = excluded.verified_at_ms`,
      )
      .run(email, host, port, nowMs);
    if (known !== undefined) return;
    this.#database
      .prepare(
        'DELETE FROM addresses WHERE email IN (SELECT email FROM addresses ORDER BY verified_at_ms DESC LIMIT -1 OFFSET ?)',
      )
      .run(knownAddressesMax);
  }

  forget(email: Email): void {
    this.#database.prepare('DELETE FROM addresses WHERE email = ?').run(email);
  }
}

function readRow(raw: unknown): [email: Email, address: KnownAddress] {
  const row = RowSchema.parse(raw);
  return [row.email, { host: row.host, port: row.port, verifiedAtMs: row.verified_at_ms }];
}
