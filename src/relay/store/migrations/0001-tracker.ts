import type { Migration } from './migration.ts';

/**
 * Clients, their certificates and their broadcasts.
 *
 * `broadcasts` is written again and again, hence no index beyond its key in either engine: expiry reads the whole
 * table every few minutes, which costs less than keeping an index of times in every `ready`. The key is the client,
 * so a broadcast replaces the earlier one in place; on PostgreSQL the free space in each page (`fillfactor`) lets
 * that stay within the page without touching the index (HOT). `addresses`, `visible_to` and
 * `capabilities` are JSON arrays of strings.
 */
export const tracker: Migration = {
  version: 1,
  name: 'tracker',
  sqlite: `
    CREATE TABLE clients (
      client_key INTEGER PRIMARY KEY,
      client_id TEXT NOT NULL UNIQUE,
      email TEXT NOT NULL UNIQUE,
      created_at_ms INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE certificates (
      certificate_key INTEGER PRIMARY KEY,
      fingerprint TEXT NOT NULL UNIQUE,
      client_key INTEGER NOT NULL REFERENCES clients (client_key) ON DELETE CASCADE,
      pem TEXT NOT NULL,
      not_after_ms INTEGER NOT NULL,
      added_at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX certificates_by_client ON certificates (client_key);

    CREATE TABLE broadcasts (
      client_key INTEGER PRIMARY KEY REFERENCES clients (client_key) ON DELETE CASCADE,
      broadcast_id TEXT NOT NULL,
      port INTEGER NOT NULL,
      addresses TEXT NOT NULL,
      observed_address TEXT NOT NULL,
      announce TEXT NOT NULL,
      visible_to TEXT NOT NULL,
      capabilities TEXT NOT NULL,
      ready_at_ms INTEGER NOT NULL,
      expires_at_ms INTEGER NOT NULL
    ) STRICT;
  `,
  postgres: `
    CREATE TABLE clients (
      client_id uuid PRIMARY KEY,
      email text NOT NULL UNIQUE,
      created_at_ms bigint NOT NULL
    );

    CREATE TABLE certificates (
      fingerprint text PRIMARY KEY,
      client_id uuid NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
      pem text NOT NULL,
      not_after_ms bigint NOT NULL,
      added_at_ms bigint NOT NULL
    );
    CREATE INDEX certificates_by_client ON certificates (client_id);

    CREATE TABLE broadcasts (
      client_id uuid PRIMARY KEY REFERENCES clients (client_id) ON DELETE CASCADE,
      broadcast_id uuid NOT NULL,
      port integer NOT NULL,
      addresses jsonb NOT NULL,
      observed_address text NOT NULL,
      announce text NOT NULL,
      visible_to jsonb NOT NULL,
      capabilities jsonb NOT NULL,
      ready_at_ms bigint NOT NULL,
      expires_at_ms bigint NOT NULL
    ) WITH (fillfactor = 50);
  `,
};
