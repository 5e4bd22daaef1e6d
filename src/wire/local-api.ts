/**
 * What the daemon answers its own user: the command line and the web app talk to it through these shapes, over
 * HTTP on loopback (`docs/protocol/local-api.md`). Nothing here travels to another machine.
 */
import { z } from 'zod';
import { EmailSchema } from './email.ts';
import { IpAddressSchema } from './ip-address.ts';
import { PortSchema } from './relay-http.ts';

/** The daemon writes this file (mode 0600) into its data folder; whoever can read it is the user. */
export const LocalApiAccessSchema = z.object({
  /** `http://127.0.0.1:PORT` */
  url: z.url(),
  /** Sent as `Authorization: Bearer <token>`. */
  token: z.string(),
  /** Process id of the daemon. */
  pid: z.int(),
});
export type LocalApiAccess = z.infer<typeof LocalApiAccessSchema>;
export const localApiAccessFileName = 'local-api.json';

/** Why a request to the daemon failed; the command line turns each into an exit code. */
export const failureCodes = [
  'bad_request',
  'not_found',
  /** The peer is not announced, or none of its addresses answers. */
  'unreachable',
  /** The peer's house answered, and its policy does not let us in. */
  'refused',
  /** The peer's house is there but shares nothing now: switched off, or its folder is away. */
  'away',
  /** Somebody with another certificate is where the peer should be. */
  'identity_changed',
  'relay_away',
  /** The file exists at the target and overwriting was not asked for. */
  'exists',
  /** What arrived is not what the other side has. */
  'corrupt',
  'cancelled',
  'failed',
] as const;
export const FailureCodeSchema = z.enum(failureCodes);
export type FailureCode = z.infer<typeof FailureCodeSchema>;
export const FailureSchema = z.object({ error: z.string(), code: FailureCodeSchema });
export type Failure = z.infer<typeof FailureSchema>;

/** Every request to the local API that fails answers with this body. */
export const localApiPaths = {
  status: '/api/status',
  peers: '/api/peers',
  friends: '/api/friends',
  requests: '/api/requests',
  share: '/api/share',
  files: '/api/files',
  content: '/api/content',
  downloads: '/api/downloads',
  stop: '/api/stop',
  export: '/api/identity/export',
} as const;

export const HouseStateSchema = z.object({
  state: z.enum(['shared', 'away', 'off', 'starting']),
  /** Why, when it is `away`. */
  reason: z.string().optional(),
  folder: z.string(),
  port: PortSchema.optional(),
  addresses: z.array(IpAddressSchema),
  policy: z.string(),
});

export const RelayStateSchema = z.object({
  state: z.enum(['connecting', 'announced', 'withdrawn', 'away', 'refused', 'none']),
  url: z.string(),
  /** Why, in words for a person, when it is `away` or `refused`. */
  reason: z.string().optional(),
  /** When the broadcast was last accepted, RFC 3339. */
  announcedAt: z.iso.datetime().optional(),
  /** When the next try is due, RFC 3339, while it is `away`. */
  nextTryAt: z.iso.datetime().optional(),
});
export type RelayState = z.infer<typeof RelayStateSchema>;

/** `GET /api/status` */
export const StatusSchema = z.object({
  email: EmailSchema,
  fingerprint: z.string(),
  safetyWords: z.array(z.string()),
  certificateExpiresAt: z.iso.datetime(),
  version: z.string(),
  pid: z.int(),
  startedAt: z.iso.datetime(),
  ui: z.string(),
  house: HouseStateSchema,
  relay: RelayStateSchema,
  /** Visitors who knocked and wait for an answer. */
  requestsWaiting: z.int(),
});
export type Status = z.infer<typeof StatusSchema>;

export const PeerStatusSchema = z.enum(['online', 'offline', 'checking', 'error']);

/** One person: a friend, or somebody the relay announces. Friends show *reachable*, others *announced*. */
export const PeerSchema = z.object({
  email: EmailSchema,
  status: PeerStatusSchema,
  friend: z.boolean(),
  /** In words for a person, when the status needs one: `identity changed`, `no address answered`. */
  cause: z.string().optional(),
  /** Set with status `error`. */
  code: FailureCodeSchema.optional(),
  /** When the status was found out, RFC 3339. */
  checkedAt: z.iso.datetime().optional(),
  /** The relay's word, RFC 3339. */
  lastSeen: z.iso.datetime().optional(),
  /** Where it answered last: address and port as in a URL. */
  address: z.string().optional(),
  /** Health check's round trip, milliseconds. */
  roundTripMs: z.number().optional(),
  fingerprint: z.string().optional(),
  safetyWords: z.array(z.string()).optional(),
  /** Shown by the peer in place of the pinned certificate, while the status is `identity changed`. */
  changedFingerprint: z.string().optional(),
  /** The words of `changedFingerprint`. */
  changedSafetyWords: z.array(z.string()).optional(),
});
export type Peer = z.infer<typeof PeerSchema>;

/** `GET /api/peers`: friends and announced peers, by e-mail. `GET /api/peers/<email>?check=1` answers one {@link PeerSchema}. */
export const PeersSchema = z.object({
  peers: z.array(PeerSchema),
  /** Set when the relay could not be asked, so that only friends are listed. */
  relayProblem: z.string().optional(),
});

/** `GET /api/friends`; `PUT /api/friends/<email>` with {@link AddFriendSchema} answers one {@link PeerSchema}; `DELETE` answers 204. */
export const FriendsSchema = z.object({ friends: z.array(PeerSchema) });
export const AddFriendSchema = z.object({
  /** Compared by the user with what the friend told them; without it the relay's word is pinned. */
  fingerprint: z.string().optional(),
  /** Replaces the pinned certificate of a friend whose identity changed; needs `fingerprint`. */
  acceptChange: z.boolean().optional(),
});

/** Somebody knocked at our house and the policy did not admit them. */
export const FriendRequestSchema = z.object({
  email: EmailSchema,
  fingerprint: z.string(),
  safetyWords: z.array(z.string()),
  firstAt: z.iso.datetime(),
  lastAt: z.iso.datetime(),
  times: z.int(),
  address: z.string(),
});
export type FriendRequest = z.infer<typeof FriendRequestSchema>;
/** `GET /api/requests`; `POST /api/requests/<email>/accept` answers a {@link PeerSchema}, `…/refuse` 204. */
export const FriendRequestsSchema = z.object({ requests: z.array(FriendRequestSchema) });

/** `PUT /api/share` answers the new {@link HouseStateSchema}. */
export const ShareSchema = z.object({ sharing: z.boolean() });

/**
 * `POST /api/identity/export` answers `{archive}`, one encrypted JSON document (identity, friends).
 * The passphrase travels over loopback in a body, never in a URL.
 */
export const ExportRequestSchema = z.object({ passphrase: z.string() });
export const ExportResponseSchema = z.object({ archive: z.string() });

/**
 * `GET /api/files?peer=<email>&path=<path>&limit=&after=` answers a listing of the peer's house (`house-http.ts`), and
 * `GET /api/content?peer=&path=` the bytes of one file with `x-flashback-via: direct|relay`.
 */

/** How bytes came: straight from the peer, or through the relay's forwarder. */
export const ViaSchema = z.enum(['direct', 'relay']);
export type Via = z.infer<typeof ViaSchema>;

/**
 * `POST /api/downloads` answers a stream of JSON lines, {@link DownloadEventSchema}, whose last is `done` or `failed`.
 * Closing the connection stops the download; what was verified stays for the next try.
 */
export const DownloadRequestSchema = z.object({
  peer: EmailSchema,
  /** `/`-separated, decoded. */
  path: z.string(),
  /** Absolute path on this machine: the file to write, or with `recursive` the folder. */
  target: z.string(),
  overwrite: z.boolean().default(false),
  recursive: z.boolean().default(false),
});
export type DownloadRequest = z.infer<typeof DownloadRequestSchema>;

export const skipCodes = [
  /** What stands at the target is the same, byte for byte. */
  'here_already',
  /** The house holds `count` things in the folder `path` that it does not name: no visitor could fetch them. */
  'omitted',
  /** For the house or this system to say: a program, a name that cannot be held here, gone since the listing. */
  'left_out',
  /** It should have come; the last event is `failed`. */
  'missing',
] as const;
export type SkipCode = (typeof skipCodes)[number];

export const DownloadEventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('started'), path: z.string(), total: z.number(), via: ViaSchema }),
  /** Bytes of an earlier try were checked block by block, and are kept. */
  z.object({ event: z.literal('resumed'), path: z.string(), bytes: z.number() }),
  /** The file changed underneath, or the connection broke: why, and from where it goes on. */
  z.object({ event: z.literal('restarted'), path: z.string(), reason: z.string(), bytes: z.number() }),
  z.object({
    event: z.literal('progress'),
    path: z.string(),
    bytes: z.number(),
    total: z.number(),
    bytesPerSecond: z.number(),
    /** Absent while the speed is not known yet. */
    secondsLeft: z.number().optional(),
    /** Files of a folder that are complete: written, or here already. */
    files: z.number().optional(),
    /** Absent until all of the folder has been listed. */
    filesTotal: z.number().optional(),
  }),
  /** One file of a folder is complete and verified. */
  z.object({ event: z.literal('file'), path: z.string(), bytes: z.number(), sha256: z.string() }),
  /** Something in a folder was not fetched; `reason` is for people. */
  z.object({
    event: z.literal('skipped'),
    path: z.string(),
    code: z.enum(skipCodes).default('left_out'),
    reason: z.string(),
    /** How many, with `omitted`. */
    count: z.number().positive().optional(),
  }),
  z.object({
    event: z.literal('done'),
    /** Where it was written on this machine. */
    path: z.string(),
    bytes: z.number(),
    /** Of the file; absent for a folder. */
    sha256: z.string().optional(),
    /** Files written, for a folder. */
    files: z.number().optional(),
    /** Files that were not fetched because the same bytes are here, for a folder. */
    hereAlready: z.number().optional(),
    /** Files, and folders with all in them, that are not here, for a folder: the `skipped` events say which and why. */
    leftOut: z.number().optional(),
    via: ViaSchema,
  }),
  z.object({ event: z.literal('failed'), error: z.string(), code: FailureCodeSchema }),
]);
export type DownloadEvent = z.infer<typeof DownloadEventSchema>;

export const doctorCodes = [
  'not_initialised',
  'config_invalid',
  'identity_unreadable',
  'identity_exposed',
  'certificate_expired',
  'certificate_expires_soon',
  'clock_off',
  'relay_unreachable',
  'relay_identity_changed',
  'relay_refuses',
  'folder_away',
  'port_in_use',
  'port_blocked',
  'daemon_not_running',
] as const;
/** One thing that `flashback doctor` found. `error` makes it exit with 1, `warning` and `ok` do not. */
export const FindingSchema = z.object({
  code: z.enum(doctorCodes).or(z.literal('ok')),
  severity: z.enum(['ok', 'warning', 'error']),
  /** What was checked. */
  check: z.string(),
  message: z.string(),
  /** What to do about it. */
  advice: z.string().optional(),
});
export type Finding = z.infer<typeof FindingSchema>;
