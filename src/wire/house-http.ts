import { z } from 'zod';
import { encodeHousePath, nameRefusal, pathRefusal } from './house-path.ts';

/**
 * What a house answers over HTTP/1.1 (docs/protocol/house.md). A *path* is relative to the house, `/` between
 * segments, no leading or trailing slash, and empty for the house itself.
 */
export const houseRoutes = {
  files: '/api/files',
  content: '/content',
  download: '/download',
  archive: '/archive',
  digest: '/digest',
  health: '/health',
} as const;

/** A folder's page when the visitor does not say: small enough to be there at once. */
export const listingLimitDefault = 1000;
/** Largest page: about 2 MB of JSON with long names. */
export const listingLimitMax = 10_000;

/** Bytes under one block digest. A resumed download re-reads at most this much to know where it stands. */
export const digestBlockBytes = 4 * 1024 * 1024;
/** Block digests in one answer: 256 GiB of file, 4.4 MB of JSON. Beyond it ask by `from` and `count`. */
export const digestBlocksMax = 65_536;

/** Error texts that a client may act upon (each with status 503); all others are for people only. */
export const houseErrors = {
  off: 'sharing is off',
  away: 'the shared folder is away: it is missing, replaced or its disk is not mounted',
  busy: 'the house is busy: try again later',
} as const;

/** Every answer of status 400 and above. */
export const HouseErrorSchema = z.object({ error: z.string().max(1000) });
export type HouseError = z.infer<typeof HouseErrorSchema>;

/** A path that a house could serve; what is in it came from the other side and is escaped before it is shown. */
const HousePathSchema = z.string().refine((path) => pathRefusal(path) === undefined, 'not a path in a house');

const HouseEntrySchema = z.object({
  /** One path segment, as on the disk there (neither NFC nor NFD is promised). */
  name: z.string().refine((name) => nameRefusal(name) === undefined, 'not a name in a house'),
  type: z.enum(['file', 'directory']),
  /** Bytes of a file; 0 for a directory. */
  size: z.int().nonnegative(),
  /** RFC 3339, UTC. */
  modified: z.iso.datetime(),
  /** By the name's extension, for icons; absent for directories and unknown types. Never a promise about the bytes. */
  mediaType: z.string().max(255).optional(),
  /** Path in the house that this symbolic link leads to; type, size and modified are the target's. */
  target: HousePathSchema.optional(),
  /** True when the house refuses to hand this file out because it is a program. */
  isProgram: z.literal(true).optional(),
});
export type HouseEntry = z.infer<typeof HouseEntrySchema>;

/**
 * `GET /api/files[/<path>]?limit=&after=`: a page of a folder, ordered by name (by the UTF-8 bytes). Follow `next` until it
 * is absent: a page may hold fewer entries than its limit, even none.
 */
export const HouseListingSchema = z.object({
  path: HousePathSchema,
  entries: z.array(HouseEntrySchema).max(listingLimitMax),
  /** Opaque; give it as `after` for the following page. It stays good when the folder changes. */
  next: z.string().max(1024).optional(),
  /** Entries in the span of this page that no visitor could fetch: names refused by house-path.ts, links that leave the house, devices. */
  omitted: z.int().positive().optional(),
});
export type HouseListing = z.infer<typeof HouseListingSchema>;

const Sha256HexSchema = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * `GET /digest/<path>`: SHA-256 of the file and of each 4 MiB block (the last one shorter; none for an empty file).
 * `?blocks=none` leaves the blocks out. `?from=&count=` gives the digests of these blocks only, without reading the rest,
 * and then `sha256` is absent and `from` present. It answers when the bytes are read: allow a file's reading time.
 */
export const HouseDigestSchema = z.object({
  path: HousePathSchema,
  size: z.int().nonnegative(),
  modified: z.iso.datetime(),
  /** The `ETag` that `/download` gives for the same bytes. */
  etag: z.string().max(255),
  blockBytes: z.literal(digestBlockBytes),
  sha256: Sha256HexSchema.optional(),
  from: z.int().nonnegative().optional(),
  blocks: z.array(Sha256HexSchema).max(digestBlocksMax).optional(),
});
export type HouseDigest = z.infer<typeof HouseDigestSchema>;

/** `GET /health`: 200 whenever the peer is there, whether or not its folder is. */
export const HouseHealthSchema = z.object({
  status: z.literal('ok'),
  /** `shared`: the folder is there; `away`: it is not; `off`: its owner has stopped sharing. */
  house: z.enum(['shared', 'away', 'off']),
});
export type HouseHealth = z.infer<typeof HouseHealthSchema>;

export const archiveFormats = ['zip', 'tar'] as const;
export type ArchiveFormat = (typeof archiveFormats)[number];

/** The request target of a route for `path` (decoded), to be followed by a query if any. */
export function houseTarget(route: keyof typeof houseRoutes, path: string): string {
  return path === '' ? houseRoutes[route] : `${houseRoutes[route]}/${encodeHousePath(path)}`;
}
