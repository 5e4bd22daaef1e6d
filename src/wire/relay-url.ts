/** Where a relay is, and, when the URL carries it, which certificate it must show. */
export interface RelayUrl {
  /** `https://host:port`, no path, no trailing slash. */
  readonly origin: string;
  readonly host: string;
  readonly port: number;
  /** 64 lower-case hex digits; absent when the relay has a CA-signed certificate. */
  readonly fingerprint?: string;
}

/** What an HTTPS relay listens on unless told otherwise. */
export const relayPortDefault = 3000;

/**
 * Reads `https://relay.example:3000#sha256=<64 hex>`. The fragment never travels: it is what the client compares.
 *
 * @throws {TypeError} with a sentence that says what is wrong.
 */
export function parseRelayUrl(text: string): RelayUrl {
  if (!URL.canParse(text))
    throw new TypeError(`Relay URL "${text}" is not a URL: expected https://host:port#sha256=...`);
  const url = new URL(text);
  if (url.protocol !== 'https:')
    throw new TypeError(`Relay URL "${text}" must start with https://, a relay speaks TLS only`);
  if (url.username !== '' || url.password !== '')
    throw new TypeError('Relay URL must not hold a user name or password');
  if (url.pathname !== '/' || url.search !== '')
    throw new TypeError(`Relay URL "${text}" must not have a path or a query`);
  const port = portOf(url, text);
  if (port === 0) throw new TypeError(`Relay URL "${text}" has port 0: a relay has a port from 1 to 65535`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const base = { origin: `https://${url.hostname}:${port}`, host, port };
  if (url.hash === '') return base;
  const pin = /^#sha256=([0-9a-f]{64})$/i.exec(url.hash.replaceAll(':', ''));
  if (pin?.[1] === undefined)
    throw new TypeError(`Relay URL "${text}" has a fragment that is not #sha256= and 64 hex digits`);
  return { ...base, fingerprint: pin[1].toLowerCase() };
}

/** The URL parser drops :443, the default of https, and so a written 443 shows only to another scheme's eyes. */
function portOf(url: URL, text: string): number {
  if (url.port !== '') return Number(url.port);
  const isWritten = new URL(text.trim().replace(/^https/i, 'http')).port === '443';
  return isWritten ? 443 : relayPortDefault;
}

export function formatRelayUrl(origin: string, fingerprint?: string): string {
  return fingerprint === undefined ? origin : `${origin}#sha256=${fingerprint}`;
}
