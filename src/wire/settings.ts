/** The settings of a peer, wherever they come from: flag, environment, config file, default (in this order). */
import { z } from 'zod';
import { EmailSchema } from './email.ts';
import { AnnounceSchema } from './relay-http.ts';
import { parseRelayUrl } from './relay-url.ts';

/** Port the web app and the command line find the daemon at; the next free one when it is taken. */
export const localApiPortDefault = 8787;

const PortSettingSchema = z
  .int()
  .min(0, 'must be 0 (any) or a port from 1 to 65535')
  .max(65_535, 'must be 0 (any) or a port from 1 to 65535');

/** `0` any free port, `4711` that port and above when it is taken, `"4711-4720"` one of these. */
export const HousePortSchema = z.union([
  PortSettingSchema,
  z.string().refine(isPortRange, 'must be a port, 0 for any, or a range such as 4711-4720'),
]);

/** Who may visit: friends only, everybody registered at the relay, or these people. */
export const PolicySchema = z.union([
  z.literal('friends'),
  z.literal('registered'),
  z.array(EmailSchema).min(1),
]);
export type Policy = z.infer<typeof PolicySchema>;

export const SettingsSchema = z.strictObject({
  email: EmailSchema.optional(),
  /** The folder that is shared. */
  fileRootDirectory: z.string().min(1).optional(),
  /** Folder of `client.key` and `client.crt`; default: `identity` in the data folder. */
  certificatePath: z.string().min(1).optional(),
  relayTrackerUrl: z
    .string()
    .refine(isRelayUrl, 'must be https://host:port, with #sha256=<fingerprint> for a self-signed relay')
    .optional(),
  policy: PolicySchema.default('friends'),
  /** Who sees us at the relay. */
  announce: AnnounceSchema.default('all'),
  housePort: HousePortSchema.default(0),
  /** `all` interfaces, or `loopback` only. */
  houseInterface: z.enum(['all', 'loopback']).default('all'),
  localApiPort: PortSettingSchema.default(localApiPortDefault),
  /** Serve programs (exe, msi, bat, ...) too. */
  allowPrograms: z.boolean().default(false),
  /** Show dot files and what the ignore rules leave out. */
  showHidden: z.boolean().default(false),
  /** A broadcast lives an hour at the relay: refreshed at half of that. */
  broadcastRefreshSeconds: z.number().positive().max(86_400).default(1800),
  friendPingSeconds: z.number().positive().max(86_400).default(60),
  /** Where `flashback get` writes without `-o`; default: the current folder. */
  downloadDirectory: z.string().min(1).optional(),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});
export type Settings = z.infer<typeof SettingsSchema>;
export type SettingName = keyof Settings;
export const configFileName = 'config.json';

function isPortRange(text: string): boolean {
  const [, low, high] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  return Number(low) >= 1 && Number(low) <= Number(high) && Number(high) <= 65_535;
}

function isRelayUrl(text: string): boolean {
  try {
    parseRelayUrl(text);
    return true;
  } catch {
    return false;
  }
}

/** `fileRootDirectory` is set by `FLASHBACK_FILE_ROOT_DIRECTORY`. */
export function environmentName(setting: SettingName): string {
  return `FLASHBACK_${setting.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
