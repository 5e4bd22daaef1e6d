/**
 * Look-up, list and ready: what clients ask all day. Nothing generic runs here (no router, no hooks, no request log):
 * each would cost as much as the answer. Everything else is in `server/rest-app.ts`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { type Email, parseEmail } from '../../wire/email.ts';
import {
  listPageMax,
  type ReadyRequest,
  ReadyRequestSchema,
  relayPaths,
  requestBodyBytesMax,
} from '../../wire/relay-http.ts';
import { answerError, answerJson, answerTooMany, startJson } from '../server/answer.ts';
import { type ClientConnection, clientConnection } from '../server/client-connection.ts';
import type { RateLimits } from '../server/rate-limits.ts';
import { collectBody, parseJsonBody, RequestError } from '../server/request-body.ts';
import { StoreError } from '../store/store-error.ts';
import { type Account, announcedPeerJson, type Credential } from './directory.ts';
import type { Tracker } from './tracker.ts';

/** Peers written at once: about 250 KB, then the socket is given time to drain. */
const listChunkPeers = 1000;

/** A request of ordinary size; longer ones are parsed each time rather than kept in memory for an hour. */
const rememberedRequestCharactersMax = 1024;

export type HotRoute = 'lookup' | 'list' | 'ready';

/** Where the writing of a list has come to. */
interface ListWalk {
  readonly viewer: Account;
  /** E-mail of the last peer written, or what the client asked for. */
  after: Email;
  /** E-mail of the page's last peer; undefined: everything. */
  readonly until: Email | undefined;
  isStarted: boolean;
}

export interface HotRoutesOptions {
  readonly tracker: Tracker;
  readonly limits: RateLimits;
  readonly log: Logger;
}

export class HotRoutes {
  readonly #tracker: Tracker;
  readonly #limits: RateLimits;
  readonly #log: Logger;

  constructor(options: HotRoutesOptions) {
    this.#tracker = options.tracker;
    this.#limits = options.limits;
    this.#log = options.log;
  }

  /** Serves the request when it is plainly one of ours; false leaves it untouched. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const url = request.url ?? '';
    const queryAt = url.indexOf('?');
    const route = routeOf(request.method, queryAt === -1 ? url : url.slice(0, queryAt));
    if (route === undefined) return false;
    this.serveAs(route, request, response);
    return true;
  }

  /** Serves the request as this route's, however its path was written. */
  serveAs(route: HotRoute, request: IncomingMessage, response: ServerResponse): void {
    if (route === 'ready') {
      this.#ready(request, response);
      return;
    }
    const query = queryOf(request.url ?? '');
    if (route === 'lookup') this.#lookup(request, response, query);
    else this.#list(request, response, query);
  }

  #lookup(request: IncomingMessage, response: ServerResponse, query: string): void {
    const credential = this.#admit(clientConnection(request), response, 1);
    if (credential === undefined) return;
    const email = emailParameter(query);
    if (typeof email !== 'string') {
      answerError(response, 400, email.problem);
      return;
    }
    const found = this.#tracker.lookup(email, credential.account);
    if (found === undefined) answerError(response, 404, 'no such peer is announced');
    else answerJson(response, 200, announcedPeerJson(found.account, found.live));
  }

  #list(request: IncomingMessage, response: ServerResponse, query: string): void {
    const parameters = new URLSearchParams(query);
    const limit = limitParameter(parameters.get('limit'));
    const tracker = this.#tracker;
    // Charged by its length, whether it is asked for at once or page by page.
    const peers = Math.min(limit ?? 1, tracker.directory.listedCount);
    const requests = Math.max(1, Math.ceil(peers / listChunkPeers));
    const credential = this.#admit(clientConnection(request), response, requests);
    if (credential === undefined) return;
    if (limit === undefined) {
      answerError(response, 400, `limit must be an integer from 1 to ${listPageMax}`);
      return;
    }
    const viewer = credential.account;
    const after = (parameters.get('after') ?? '').toLowerCase();
    if (limit === everything) {
      startJson(response, []);
      this.#writeList(response, { viewer, after, until: undefined, isStarted: false });
      return;
    }
    // One more than asked for tells whether there is a next page, and this one then ends at the last but one.
    const accounts = tracker.list(viewer, after, limit + 1);
    const until = accounts.length > limit ? accounts.at(-2)?.email : undefined;
    startJson(response, until === undefined ? [] : ['link', nextLink(limit, until)]);
    this.#writeList(response, { viewer, after, until, isStarted: false });
  }

  /** Writes in chunks, each after the one before was taken: a slow reader costs one chunk of memory. */
  #writeList(response: ServerResponse, walk: ListWalk): void {
    for (;;) {
      const accounts = this.#tracker.list(walk.viewer, walk.after, listChunkPeers);
      const { until } = walk;
      const page = until === undefined ? accounts : accounts.filter(({ email }) => email <= until);
      const opening = walk.isStarted ? ',' : '[';
      const text = page.length === 0 && walk.isStarted ? '' : opening + page.map(peerJson).join(',');
      const last = page.at(-1);
      if (page.length < listChunkPeers || last === undefined || last.email === until) {
        response.end(`${text}]`);
        return;
      }
      walk.after = last.email;
      walk.isStarted = true;
      if (response.write(text)) continue;
      response.once('drain', () => this.#writeList(response, walk));
      return;
    }
  }

  #ready(request: IncomingMessage, response: ServerResponse): void {
    const connection = clientConnection(request);
    const credential = this.#admit(connection, response, 1);
    if (credential === undefined) return;
    collectBody(request, requestBodyBytesMax, (error, text) => {
      if (error === undefined) this.#putBroadcast(response, connection, credential.account, text);
      else answerError(response, error.status, error.message, ['connection', 'close']);
    });
  }

  #putBroadcast(
    response: ServerResponse,
    connection: ClientConnection,
    account: Account,
    text: string,
  ): void {
    let request: ReadyRequest;
    try {
      request = this.#parseReady(account, text);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      answerError(response, error.status, error.message);
      return;
    }
    const remembered = text.length <= rememberedRequestCharactersMax ? text : undefined;
    this.#tracker.ready(account, request, connection.address, remembered).then(
      (record) => {
        const seconds = Math.round(this.#tracker.broadcastLifetimeMs / 1000);
        answerJson(response, 200, `{"broadcast_id":"${record.broadcastId}","expires_in":${seconds}}`);
      },
      (error: unknown) => answerStoreFailure(response, error, this.#log),
    );
  }

  /** A refresh is byte for byte the request before it, twice an hour for as long as a client lives. */
  #parseReady(account: Account, text: string): ReadyRequest {
    const live = account.live;
    if (live === undefined || live.requestText !== text) return parseJsonBody(ReadyRequestSchema, text);
    const { port, addresses, announce, visibleTo, capabilities } = live.record;
    return {
      port,
      addresses: [...addresses],
      announce,
      friends: [...visibleTo],
      capabilities: [...capabilities],
    };
  }

  #admit(connection: ClientConnection, response: ServerResponse, requests: number): Credential | undefined {
    const who = this.#tracker.authenticate(connection.fingerprint);
    const waitMs = this.#limits.take(who, connection.address, requests);
    if (waitMs > 0) answerTooMany(response, waitMs);
    else if ('credential' in who) return who.credential;
    else answerError(response, 401, who.refusal);
    return undefined;
  }
}

/** The store could not take it: nothing was acknowledged, and the client may try again. */
export function answerStoreFailure(response: ServerResponse, error: unknown, log: Logger): void {
  log.error({ err: error }, 'the store refused a write');
  const isBusy = error instanceof StoreError && error.code === 'store_overloaded';
  if (response.headersSent) response.destroy();
  else
    answerError(response, 503, isBusy ? 'the relay is busy' : 'the relay cannot store this now', [
      'retry-after',
      '1',
    ]);
}

function routeOf(method: string | undefined, path: string): HotRoute | undefined {
  if (method === 'GET') {
    if (path === relayPaths.lookup) return 'lookup';
    return path === relayPaths.list ? 'list' : undefined;
  }
  return method === 'POST' && path === relayPaths.ready ? 'ready' : undefined;
}

export function queryOf(url: string): string {
  const queryAt = url.indexOf('?');
  return queryAt === -1 ? '' : url.slice(queryAt + 1);
}

/** No `limit` at all. */
const everything = Number.POSITIVE_INFINITY;

/** Undefined when it cannot be one. */
function limitParameter(text: string | null): number | undefined {
  if (text === null) return everything;
  const limit = Number(text);
  return /^\d{1,6}$/.test(text) && limit >= 1 && limit <= listPageMax ? limit : undefined;
}

function peerJson(account: Account): string {
  return account.live === undefined ? '{}' : announcedPeerJson(account, account.live);
}

function nextLink(limit: number, after: Email): string {
  return `<${relayPaths.list}?limit=${limit}&after=${encodeURIComponent(after)}>; rel="next"`;
}

/** The `email` parameter in canonical form. The plain case, one parameter without escapes, takes no parser. */
export function emailParameter(query: string): Email | { problem: string } {
  const isPlain = query.startsWith('email=') && !/[%+&]/.test(query);
  const text = isPlain ? query.slice('email='.length) : new URLSearchParams(query).get('email');
  if (text === null || text === '') return { problem: 'email is missing' };
  // A form reads `+` as a space; no e-mail has a space, and people type `me+phone@example.com` as it is.
  const parsed = parseEmail(text.replaceAll(' ', '+'));
  return 'problem' in parsed ? parsed : parsed.email;
}
