import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Cookies are shared by all ports of a host: the port in the name keeps two daemons apart. */
export function sessionCookieName(port: number): string {
  return `flashback-${port}`;
}

/** 256 bits: nobody guesses it. */
const secretBytes = 32;

export type GuardResult =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'refused'; readonly status: 401 | 403; readonly error: string };

/**
 * Keeps everybody but the local user out of the local API (design §7). What runs in a browser on this machine can
 * reach loopback, so being local proves nothing:
 *
 * - the `Host` must be ours, or a page could reach us under a name of its own (DNS rebinding);
 * - a browser says by `Sec-Fetch-Site` and `Origin` which page asks, and only our own may;
 * - a token proves the user: from a 0600 file for programs, as a cookie for the browser that opened a one-time link.
 *
 * There is no CORS: no other origin is ever allowed to read anything.
 */
export class Guard {
  readonly token = secret();
  readonly #session = secret();
  /** The key of the one-time link that nobody has opened yet. */
  #linkKey = secret();
  #port = 0;

  /** Call once the port is known, before the first request. */
  listeningOn(port: number): void {
    this.#port = port;
  }

  /** Path of a link that gives the browser which opens it first the session. */
  oneTimePath(): string {
    return `/open?key=${this.#linkKey}`;
  }

  /** The `Set-Cookie` for whoever brings a key that was not used before. */
  redeem(key: string): string | undefined {
    if (!isSame(this.#linkKey, key)) return undefined;
    this.#linkKey = secret();
    return `${sessionCookieName(this.#port)}=${this.#session}; HttpOnly; SameSite=Strict; Path=/`;
  }

  /** Where a request may come from at all, token or not. */
  checkOrigin(headers: IncomingHttpHeaders): GuardResult {
    const host = headers.host ?? '';
    // Browsers leave the port of http away.
    const port = this.#port === 80 ? '' : `:${this.#port}`;
    const own = ['127.0.0.1', 'localhost', '[::1]'].map((name) => name + port);
    if (!own.includes(host)) return refused(403, 'this address is not served here: use http://127.0.0.1');
    const site = headers['sec-fetch-site'];
    // `none` is the user's own doing: a typed address, a bookmark, a link from a terminal.
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
      return refused(403, 'other pages may not use this');
    const { origin } = headers;
    if (origin !== undefined && origin !== `http://${host}`)
      return refused(403, 'other pages may not use this');
    return allowed;
  }

  /** Whether the request brings the token or the session. */
  checkUser(headers: IncomingHttpHeaders): GuardResult {
    const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
    if (bearer !== undefined)
      return isSame(bearer, this.token) ? allowed : refused(401, 'the token is not this daemon’s');
    const sessions = cookiesOf(headers.cookie ?? '', sessionCookieName(this.#port));
    if (sessions.some((session) => isSame(session, this.#session))) return allowed;
    return refused(401, 'open the link that `flashback status` shows, or send the token of local-api.json');
  }
}

const allowed = { kind: 'allowed' } as const;

function refused(status: 401 | 403, error: string): GuardResult {
  return { kind: 'refused', status, error };
}

function secret(): string {
  return randomBytes(secretBytes).toString('base64url');
}

/** Takes the same time wherever the first difference is. */
function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Every value of that name: another program on this machine may have set one beside ours, which comes first. */
function cookiesOf(header: string, name: string): string[] {
  return header.split(';').flatMap((part) => {
    const [key, value] = part.trim().split('=', 2);
    return key === name && value !== undefined ? [value] : [];
  });
}
