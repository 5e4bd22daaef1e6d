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
import { authenticate, type ClientConnection, clientConnection } from '../server/client-connection.ts';
import type { RateLimits } from '../server/rate-limits.ts';
import { collectBody, parseJsonBody, RequestError } from '../server/request-body.ts';
import { StoreError } from '../store/store-error.ts';
import { type Account, announcedPeerJson, type Credential } from './directory.ts';
import type { Tracker } from './tracker.ts';

/** Peers written at once: about 250 KB, then the socket is given time to drain. */
const listChunkPeers = 1000;

/** A request of ordinary size; longer ones are parsed each time rather than kept in memory for an hour. */
const rememberedRequestCharactersMax = 1024;

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

  /** Serves the request when it is one of ours; false leaves it untouched. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const url = request.url ?? '';
    const queryAt = url.indexOf('?');
    const path = queryAt === -1 ? url : url.slice(0, queryAt);
    if (request.method === 'GET') {
      const query = queryAt === -1 ? '' : url.slice(queryAt + 1);
      if (path === relayPaths.lookup) this.#lookup(request, response, query);
      else if (path === relayPaths.list) this.#list(request, response, query);
      else return false;
      return true;
    }
    if (request.method !== 'POST' || path !== relayPaths.ready) return false;
    this.#ready(request, response);
    return true;
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
    const limitText = parameters.get('limit');
    // A list of everything is charged by its length.
    const pages =
      limitText === null ? 1 + Math.floor(this.#tracker.directory.announcedCount / listChunkPeers) : 1;
    const credential = this.#admit(clientConnection(request), response, pages);
    if (credential === undefined) return;
    const after = (parameters.get('after') ?? '').toLowerCase();
    if (limitText === null) {
      startJson(response, []);
      this.#writeList(response, credential.account, after, '[');
      return;
    }
    const limit = Number(limitText);
    if (!/^\d{1,6}$/.test(limitText) || limit < 1 || limit > listPageMax) {
      answerError(response, 400, `limit must be an integer from 1 to ${listPageMax}`);
      return;
    }
    // One more than asked for tells whether there is a next page.
    const accounts = this.#tracker.list(credential.account, after, limit + 1);
    const page = accounts.slice(0, limit);
    const last = page.at(-1);
    const hasNext = accounts.length > limit && last !== undefined;
    startJson(response, hasNext ? ['link', nextLink(limit, last.email)] : []);
    response.end(`[${page.map(peerJson).join(',')}]`);
  }

  /** Writes everything in chunks, each after the one before was taken: a slow reader costs one chunk of memory. */
  #writeList(response: ServerResponse, viewer: Account, after: Email, opening: string): void {
    let position = after;
    let text = opening;
    for (;;) {
      const accounts = this.#tracker.list(viewer, position, listChunkPeers);
      text += accounts.map(peerJson).join(',');
      const last = accounts.at(-1);
      if (accounts.length < listChunkPeers || last === undefined) {
        response.end(`${text.replace(/,$/, '')}]`);
        return;
      }
      position = last.email;
      const hasMore = this.#tracker.list(viewer, position, 1).length > 0;
      if (!hasMore) {
        response.end(`${text}]`);
        return;
      }
      if (!response.write(`${text},`)) {
        response.once('drain', () => this.#writeList(response, viewer, position, ''));
        return;
      }
      text = '';
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
    const who = authenticate(connection, this.#tracker.directory, this.#tracker.nowMs());
    if ('refusal' in who) {
      const waitMs = this.#limits.takeForAddress(connection.address);
      if (waitMs > 0) answerTooMany(response, waitMs);
      else answerError(response, 401, who.refusal);
      return undefined;
    }
    const waitMs = this.#limits.takeForClient(who.credential, requests);
    if (waitMs === 0) return who.credential;
    answerTooMany(response, waitMs);
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
