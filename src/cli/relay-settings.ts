import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { relayPortDefault } from '../wire/relay-url.ts';
import { usageError } from './command-error.ts';

/** What the operator chose for `flashback relay`. */
export interface RelaySettings {
  readonly port: number;
  readonly host?: string;
  readonly publicHost?: string;
  readonly httpPort?: number;
  readonly dataFolder: string;
  readonly databaseUrl?: string;
  readonly tlsCertFile?: string;
  readonly tlsKeyFile?: string;
  readonly broadcastLifetimeSeconds?: number;
  readonly cleanupIntervalSeconds?: number;
  /** Requests a minute from one address to what needs no certificate. */
  readonly addressPerMinute?: number;
  /** Requests a second that one certificate may go on making to the tracker. */
  readonly clientPerSecond?: number;
  readonly connectionsMax?: number;
  readonly logLevel: string;
}

interface RelayOption {
  readonly flag: string;
  readonly meaning: string;
  /** Looked at in this order; the bare names are the published ones (mission M6). */
  readonly variables: readonly string[];
}

/** By the name commander gives its value. */
export const relayOptions = {
  port: {
    flag: '--port <port>',
    meaning: `port for HTTPS, 0 for any free one (default: ${relayPortDefault})`,
    variables: ['FLASHBACK_RELAY_PORT', 'PORT'],
  },
  host: {
    flag: '--host <address>',
    meaning: 'address to listen on (default: all)',
    variables: ['FLASHBACK_RELAY_HOST'],
  },
  publicHost: {
    flag: '--public-host <name>',
    meaning: 'name or address that others reach the relay at, for the URL that is printed',
    variables: ['FLASHBACK_RELAY_PUBLIC_HOST'],
  },
  httpPort: {
    flag: '--http-port <port>',
    meaning: 'plain HTTP too, on loopback only: for development, or a proxy that ends TLS',
    variables: ['FLASHBACK_RELAY_HTTP_PORT'],
  },
  data: {
    flag: '--data <folder>',
    meaning: 'folder of certificate and database (default: relay in the data folder)',
    variables: ['FLASHBACK_RELAY_DATA'],
  },
  databaseUrl: {
    flag: '--database-url <url>',
    meaning: 'PostgreSQL in place of SQLite; a URL with a password belongs in the environment or a file',
    variables: ['FLASHBACK_RELAY_DATABASE_URL', 'DATABASE_URL'],
  },
  databaseUrlFile: {
    flag: '--database-url-file <file>',
    meaning: 'read the database URL from a file',
    variables: ['FLASHBACK_RELAY_DATABASE_URL_FILE'],
  },
  tlsCert: {
    flag: '--tls-cert <file>',
    meaning: 'a certificate that an authority signed (PEM chain), read again on SIGHUP',
    variables: ['FLASHBACK_RELAY_TLS_CERT_PATH', 'TLS_CERT_PATH'],
  },
  tlsKey: {
    flag: '--tls-key <file>',
    meaning: 'its private key (PEM)',
    variables: ['FLASHBACK_RELAY_TLS_KEY_PATH', 'TLS_KEY_PATH'],
  },
  broadcastLifetime: {
    flag: '--broadcast-lifetime <seconds>',
    meaning: 'how long an announcement lives (default: 3600)',
    variables: ['FLASHBACK_RELAY_BROADCAST_LIFETIME'],
  },
  cleanupInterval: {
    flag: '--cleanup-interval <seconds>',
    meaning: 'how often expired announcements are removed (default: 300)',
    variables: ['FLASHBACK_RELAY_CLEANUP_INTERVAL'],
  },
  rateLimit: {
    flag: '--rate-limit <requests>',
    meaning: 'requests a minute from one address to what needs no certificate (default: 100)',
    variables: ['FLASHBACK_RELAY_RATE_LIMIT_MAX_REQUESTS', 'RATE_LIMIT_MAX_REQUESTS'],
  },
  trackerRate: {
    flag: '--tracker-rate <requests>',
    meaning:
      'requests a second from one certificate to the tracker, and ten times that at once (default: 20)',
    variables: ['FLASHBACK_RELAY_TRACKER_RATE'],
  },
  connectionsMax: {
    flag: '--connections-max <count>',
    meaning: 'connections at once',
    variables: ['FLASHBACK_RELAY_CONNECTIONS_MAX'],
  },
  logLevel: {
    flag: '--log-level <level>',
    meaning: 'fatal, error, warn, info, debug, trace or silent (default: info)',
    variables: ['FLASHBACK_RELAY_LOG_LEVEL', 'LOG_LEVEL'],
  },
} as const satisfies Readonly<Record<string, RelayOption>>;

type RelayOptionName = keyof typeof relayOptions;
export type RelayFlags = Readonly<Partial<Record<RelayOptionName, string>>>;

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];
/** A timer of Node holds no more (2^31 ms is 24.8 days). */
const secondsMax = 2_000_000;

export interface RelaySurroundings {
  readonly environment: NodeJS.ProcessEnv;
  readonly currentDirectory: string;
  readonly dataFolderDefault: string;
}

/**
 * Flag before environment before default.
 *
 * @returns `warnings` for what works and should not be done.
 * @throws {CommandError} `usage` that names the flag or variable, its value, and what is allowed.
 */
export function readRelaySettings(
  flags: RelayFlags,
  surroundings: RelaySurroundings,
): { settings: RelaySettings; warnings: string[] } {
  const find = (name: RelayOptionName): Found | undefined =>
    findOption(name, flags, surroundings.environment);
  const path = (name: RelayOptionName): string | undefined => {
    const found = find(name);
    return found === undefined ? undefined : resolve(surroundings.currentDirectory, found.text);
  };
  const portOf = (name: RelayOptionName): number | undefined => integer(find(name), 0, 65_535);
  const warnings: string[] = [];
  if (flags.databaseUrl !== undefined && hasPassword(flags.databaseUrl))
    warnings.push(
      'The database password stands in the command line, where every user of this machine can read it: use DATABASE_URL or --database-url-file',
    );
  const settings = withoutUndefined({
    port: portOf('port') ?? relayPortDefault,
    host: find('host')?.text,
    publicHost: find('publicHost')?.text,
    httpPort: portOf('httpPort'),
    dataFolder: path('data') ?? surroundings.dataFolderDefault,
    databaseUrl: databaseUrl(
      find('databaseUrl'),
      flags.databaseUrl === undefined ? path('databaseUrlFile') : undefined,
    ),
    tlsCertFile: path('tlsCert'),
    tlsKeyFile: path('tlsKey'),
    broadcastLifetimeSeconds: seconds(find('broadcastLifetime')),
    cleanupIntervalSeconds: seconds(find('cleanupInterval')),
    addressPerMinute: integer(find('rateLimit'), 1, 1_000_000),
    clientPerSecond: integer(find('trackerRate'), 1, 1_000_000),
    connectionsMax: integer(find('connectionsMax'), 1, 1_000_000),
    logLevel: choice(find('logLevel'), logLevels) ?? 'info',
  });
  if ((settings.tlsCertFile === undefined) !== (settings.tlsKeyFile === undefined))
    throw usageError('A certificate needs its key: give both --tls-cert and --tls-key');
  return { settings, warnings };
}

interface Found {
  readonly text: string;
  /** The flag or variable, for messages. */
  readonly origin: string;
}

function findOption(
  name: RelayOptionName,
  flags: RelayFlags,
  environment: NodeJS.ProcessEnv,
): Found | undefined {
  const flag = flags[name];
  const option: RelayOption = relayOptions[name];
  if (flag !== undefined) return { text: flag, origin: option.flag.split(' ')[0] ?? name };
  for (const variable of option.variables) {
    const text = environment[variable];
    if (text !== undefined && text !== '') return { text, origin: variable };
  }
  return undefined;
}

function integer(found: Found | undefined, min: number, max: number): number | undefined {
  if (found === undefined) return undefined;
  const value = Number(found.text);
  if (/^\d+$/.test(found.text) && value >= min && value <= max) return value;
  throw usageError(`${found.origin} is "${found.text}": allowed is a whole number from ${min} to ${max}`);
}

function seconds(found: Found | undefined): number | undefined {
  if (found === undefined) return undefined;
  const value = Number(found.text);
  if (/^\d+(?:\.\d+)?$/.test(found.text) && value > 0 && value <= secondsMax) return value;
  throw usageError(
    `${found.origin} is "${found.text}": allowed is a number of seconds above 0, at most ${secondsMax}`,
  );
}

function choice(found: Found | undefined, allowed: readonly string[]): string | undefined {
  if (found === undefined || allowed.includes(found.text)) return found?.text;
  throw usageError(`${found.origin} is "${found.text}": allowed is ${allowed.join(', ')}`);
}

/** The value never appears in a message: it may hold a password. */
function databaseUrl(found: Found | undefined, file: string | undefined): string | undefined {
  const text = file === undefined ? found?.text : readUrlFile(file);
  if (text === undefined) return undefined;
  if (/^postgres(?:ql)?:\/\//.test(text)) return text;
  throw usageError(
    `${file ?? found?.origin} is not a database URL: allowed is postgres://user@host:port/database`,
  );
}

function readUrlFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw usageError(
      `Cannot read the database URL from ${file}: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
}

function hasPassword(url: string): boolean {
  return URL.canParse(url) && new URL(url).password !== '';
}

/** Drops what was not given, because an option that is there and undefined is another thing than none. */
function withoutUndefined<T extends object>(values: T): WithoutUndefined<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as WithoutUndefined<T>;
}

type WithoutUndefined<T> = {
  [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key];
} & { [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined> };
