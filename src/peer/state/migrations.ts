/**
 * The schema of `state.sqlite`, step by step: entry N brings `user_version` from N to N + 1. A published step is never edited.
 * Times are milliseconds since 1970; e-mails are in canonical lower case; fingerprints are 64 lower-case hex digits.
 */
export const migrations: readonly string[] = [
  `
  -- Everybody whose key is pinned: friends (friend_since_ms set) and people we have visited.
  CREATE TABLE known_peers (
    email TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    -- Absent while only the fingerprint is known, from the user; filled in at the first contact.
    public_key_hash TEXT,
    certificate TEXT,
    origin TEXT NOT NULL,
    pinned_at_ms INTEGER NOT NULL,
    friend_since_ms INTEGER,
    used_at_ms INTEGER NOT NULL,
    -- Another key was shown under this e-mail, and the user has not decided yet.
    changed_fingerprint TEXT,
    changed_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX known_peers_by_use ON known_peers (friend_since_ms, used_at_ms);

  -- Visitors whom the policy did not admit, one row a key: two keys under one e-mail are two visitors.
  CREATE TABLE requests (
    email TEXT NOT NULL,
    public_key_hash TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    certificate TEXT NOT NULL,
    address TEXT NOT NULL,
    first_at_ms INTEGER NOT NULL,
    last_at_ms INTEGER NOT NULL,
    times INTEGER NOT NULL,
    refused_at_ms INTEGER,
    PRIMARY KEY (email, public_key_hash)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX requests_by_time ON requests (last_at_ms);

  -- Where a peer answered last.
  CREATE TABLE addresses (
    email TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    verified_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX addresses_by_time ON addresses (verified_at_ms);
  `,
];
