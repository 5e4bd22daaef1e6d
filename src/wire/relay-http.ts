/**
 * The relay's tracker over HTTP: `docs/protocol/tracker.md`. Requests are parsed leniently (unknown fields are
 * ignored, so that newer clients can talk to older relays), responses too.
 */
import { z } from 'zod';
import { EmailSchema } from './email.ts';
import { IpAddressSchema } from './ip-address.ts';

export const relayPaths = {
  register: '/api/relay/register',
  ready: '/api/relay/broadcast/ready',
  broadcast: '/api/relay/broadcast',
  lookup: '/api/relay/broadcast/lookup',
  list: '/api/relay/broadcast/list',
  certificate: '/api/relay/certificate',
} as const;

/** A house with more interfaces than this announces the best of them. */
export const broadcastAddressesMax = 16;
/** Names of features, such as `link/1`; room for growth without room for abuse. */
export const broadcastCapabilitiesMax = 32;
export const capabilityCharactersMax = 64;
/** People who announce themselves to friends only name them; 500 e-mails are about 15 KB. */
export const broadcastFriendsMax = 500;
/** The largest `ready` that the other limits allow is about 140 KB; real ones with every friend named stay far below this. */
export const requestBodyBytesMax = 65_536;
/** An RSA-4096 certificate in PEM is about 2.5 KB; a CA-signed one with a few names stays below this. */
export const certificatePemCharactersMax = 8192;
/** List pages: what a caller may ask for at once. */
export const listPageMax = 10_000;

export const ErrorBodySchema = z.object({ error: z.string() });

export const RegisterRequestSchema = z.object({
  email: EmailSchema,
  certificate: z
    .string({
      error: ({ input }) =>
        input === undefined
          ? 'certificate is missing'
          : 'certificate must be a string holding a PEM certificate',
    })
    .min(1, 'certificate is empty')
    .max(certificatePemCharactersMax, `certificate is longer than ${certificatePemCharactersMax} characters`),
});
export const RegisterResponseSchema = z.object({ client_id: z.uuid() });

/** Who sees a broadcast: every registered client, friends only, or nobody. */
export const AnnounceSchema = z.enum(['all', 'friends', 'none'], {
  error: 'announce must be "all", "friends" or "none"',
});

const portProblem = 'port must be an integer from 1 to 65535';
export const PortSchema = z
  .int({ error: ({ input }) => (input === undefined ? 'port is missing' : portProblem) })
  .min(1, portProblem)
  .max(65_535, portProblem);

const capabilityProblem = `must be 1 to ${capabilityCharactersMax} printable ASCII characters`;
/** The name of a feature; ASCII, so that every store can keep it and every log can show it. */
export const CapabilitySchema = z
  .string({ error: capabilityProblem })
  .regex(/^[\x21-\x7e]{1,64}$/, capabilityProblem);

export const ReadyRequestSchema = z.object({
  port: PortSchema,
  addresses: z
    .array(IpAddressSchema, {
      error: ({ input }) =>
        input === undefined ? 'addresses is missing' : 'addresses must be an array of IP literals',
    })
    .max(broadcastAddressesMax, `addresses holds more than ${broadcastAddressesMax} entries`),
  capabilities: z
    .array(CapabilitySchema, {
      error: 'capabilities must be an array of strings',
    })
    .max(broadcastCapabilitiesMax, `capabilities holds more than ${broadcastCapabilitiesMax} entries`)
    .optional(),
  announce: AnnounceSchema.optional(),
  /** With `announce: "friends"`: who may see the broadcast. The relay knows no other friends. */
  friends: z
    .array(EmailSchema, { error: 'friends must be an array of e-mails' })
    .max(broadcastFriendsMax, `friends holds more than ${broadcastFriendsMax} entries`)
    .optional(),
});
export type ReadyRequest = z.infer<typeof ReadyRequestSchema>;
export const ReadyResponseSchema = z.object({ broadcast_id: z.uuid(), expires_in: z.number() });

/** One announced peer, as `lookup` answers and `list` lists it. */
export const AnnouncedPeerSchema = z.object({
  email: EmailSchema,
  port: PortSchema,
  addresses: z.array(IpAddressSchema),
  /** What the relay saw the client come from (mission T7). */
  observed_address: z.string(),
  capabilities: z.array(z.string()),
  /** RFC 3339, UTC. */
  last_seen: z.iso.datetime(),
});
export type AnnouncedPeer = z.infer<typeof AnnouncedPeerSchema>;
export const ListResponseSchema = z.array(AnnouncedPeerSchema);

export const CertificateResponseSchema = z.object({
  email: EmailSchema,
  certificates: z.array(z.object({ certificate: z.string(), fingerprint: z.string() })),
});
