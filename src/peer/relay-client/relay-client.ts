import { EventEmitter } from 'node:events';
import type { z } from 'zod';
import { type CertificateClaims, CertificateError, readCertificate } from '../../identity/certificate.ts';
import type { Expected } from '../../identity/connect-pinned.ts';
import type { Identity } from '../../identity/key-store.ts';
import { PinnedClient, type PinnedRequest, readBody } from '../../identity/pinned-client.ts';
import { type Clock, systemClock } from '../../util/clock.ts';
import { withDeadline } from '../../util/deadline.ts';
import type { Email } from '../../wire/email.ts';
import {
  type AnnouncedPeer,
  AnnouncedPeerSchema,
  CertificateResponseSchema,
  ListResponseSchema,
  type ReadyRequest,
  ReadyResponseSchema,
  RegisterResponseSchema,
  relayPaths,
} from '../../wire/relay-http.ts';
import type { RelayUrl } from '../../wire/relay-url.ts';
import { failureCodeOf } from '../network/connection-failure.ts';
import { nextPagePath } from './link-header.ts';
import { RelayError } from './relay-error.ts';
import { connectionRelayError, notARelay, type RelayAnswer, statusRelayError } from './relay-failure.ts';

export interface RelayClientOptions {
  readonly url: RelayUrl;
  readonly identity: Identity;
  readonly clock?: Clock;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** For the whole call, milliseconds; default 10 s. */
  readonly deadlineMs?: number;
}

export interface RelayClientEvents {
  /** Any call failed, whoever made it. */
  callFailed: [error: RelayError];
}

/** A handshake and an answer over a bad phone network, before a person gives up. */
const callDeadlineMs = 10_000;
/** About 250 KB when peers announce what they usually do. */
const listPagePeers = 1000;
/** Far more than a person reads; a relay that goes on without end fills no memory. */
const listPeersMax = 100_000;
/** A page of peers that announce as much as they may: 16 addresses, 32 capabilities of 64 characters each. */
const listPageBytesMax = 4 * 1024 * 1024;
/** More devices than one account may have, each with a certificate of 8 KB. */
const answerBytesMax = 256 * 1024;
/** Between registrations that questions lead to. */
const registerIntervalMs = 600_000;
/** Look-ups of friends go over these; a list must not hold up a broadcast. */
const socketsMax = 4;

/**
 * The tracker's calls, typed (docs/protocol/tracker.md). Each rejects with a {@link RelayError}, or with the reason of its
 * signal. All of them may be repeated without harm, and are, once, when a kept connection turns out to be dead.
 */
export class RelayClient extends EventEmitter<RelayClientEvents> implements Disposable {
  readonly url: RelayUrl;
  readonly #clock: Clock;
  #identity: Identity;
  #connections: PinnedClient;
  #clockOffsetMs: number | undefined;
  /** When a question led to a registration. */
  #registeredAtMs: number | undefined;

  constructor(options: RelayClientOptions) {
    super();
    this.url = options.url;
    this.#clock = options.clock ?? systemClock;
    this.#identity = options.identity;
    this.#connections = this.#open();
  }

  /** The one shown to the relay. */
  get identity(): Identity {
    return this.#identity;
  }

  /** How far the relay's clock is ahead of ours, milliseconds, by the `Date` of its last answer (good to a second). */
  get clockOffsetMs(): number | undefined {
    return this.#clockOffsetMs;
  }

  /** Later calls show this identity. Calls under way break off, and are made again with it. */
  useIdentity(identity: Identity): void {
    this.#identity = identity;
    this.dropConnections();
  }

  /** After a network change: what is connected may be dead without saying so. Calls under way are made again. */
  dropConnections(): void {
    const old = this.#connections;
    this.#connections = this.#open();
    old[Symbol.dispose]();
  }

  /** `certificatePem` may be another one than the one shown: that is how a renewed one joins the account. */
  async register(
    certificatePem: string = this.#identity.certificatePem,
    options: CallOptions = {},
  ): Promise<{ clientId: string }> {
    const { email } = this.#identity.claims;
    const body = JSON.stringify({ email, certificate: certificatePem });
    const answer = await this.#call('register', { method: 'POST', path: relayPaths.register, body }, options);
    return { clientId: this.#parse(RegisterResponseSchema, answer, 'register').client_id };
  }

  async ready(
    request: ReadyRequest,
    options: CallOptions = {},
  ): Promise<{ broadcastId: string; expiresInMs: number }> {
    const body = JSON.stringify(request);
    const answer = await this.#call('ready', { method: 'POST', path: relayPaths.ready, body }, options);
    const { broadcast_id, expires_in } = this.#parse(ReadyResponseSchema, answer, 'ready');
    return { broadcastId: broadcast_id, expiresInMs: expires_in * 1000 };
  }

  async withdraw(options: CallOptions = {}): Promise<void> {
    await this.#call('withdraw', { method: 'DELETE', path: relayPaths.broadcast }, options);
  }

  /** @throws {RelayError} `not_found` when unknown, hidden, not announced or expired. */
  async lookup(email: Email, options: CallOptions = {}): Promise<AnnouncedPeer> {
    const path = `${relayPaths.lookup}?email=${encodeURIComponent(email)}`;
    const answer = await this.#ask('lookup', { method: 'GET', path }, options);
    const peer = this.#parse(AnnouncedPeerSchema, answer, 'lookup');
    if (peer.email !== email)
      throw notARelay(this.url.origin, `it was asked for ${email} and told of somebody else`);
    return peer;
  }

  /** Every announced peer, page by page; at most 100,000. */
  async list(options: CallOptions = {}): Promise<AnnouncedPeer[]> {
    const peers: AnnouncedPeer[] = [];
    let path: string | undefined = `${relayPaths.list}?limit=${listPagePeers}`;
    for (let page = 0; path !== undefined && page < listPeersMax / listPagePeers; page += 1) {
      const answer: RelayAnswer = await this.#ask(
        'list',
        { method: 'GET', path },
        { ...options, bytesMax: listPageBytesMax },
      );
      // One by one: a spread of a page that ignores the limit would overflow the stack.
      for (const peer of this.#parse(ListResponseSchema, answer, 'list'))
        if (peers.length < listPeersMax) peers.push(peer);
      path = nextPagePath(answer.headers.link?.toString(), this.url.origin, relayPaths.list);
    }
    return peers;
  }

  /**
   * The certificates registered for this e-mail (mission T11), each read and checked to carry it: that they are the
   * right ones is the relay's word.
   *
   * @throws {RelayError} `not_found` when it has none.
   */
  async certificates(email: Email, options: CallOptions = {}): Promise<CertificateClaims[]> {
    const path = `${relayPaths.certificate}?email=${encodeURIComponent(email)}`;
    const answer = await this.#ask('certificate', { method: 'GET', path }, options);
    const { certificates } = this.#parse(CertificateResponseSchema, answer, 'certificate');
    const claims = certificates.flatMap(({ certificate }) => readClaims(certificate, email));
    if (claims.length === 0 && certificates.length > 0)
      throw notARelay(
        this.url.origin,
        `it has certificates for ${email}, and none of them carries that e-mail`,
      );
    if (claims.length === 0)
      throw new RelayError('not_found', `The relay ${this.url.origin} has no certificate of ${email}`);
    return claims;
  }

  [Symbol.dispose](): void {
    this.#connections[Symbol.dispose]();
  }

  #open(): PinnedClient {
    const { host, port, fingerprint } = this.url;
    const expected: Expected =
      fingerprint === undefined ? { kind: 'authority' } : { kind: 'pinned', fingerprints: [fingerprint] };
    return new PinnedClient({
      host,
      port,
      expected,
      identity: this.#identity,
      socketsMax,
      idleSocketsMax: 2,
    });
  }

  /**
   * A question that only the registered may ask. A relay that does not know us (our first second, or its lost memory) is
   * told who we are, and asked again.
   */
  async #ask(
    call: string,
    request: PinnedRequest,
    options: CallOptions & { readonly bytesMax?: number },
  ): Promise<RelayAnswer> {
    try {
      return await this.#call(call, request, options);
    } catch (error) {
      if (!(error instanceof RelayError && error.code === 'unregistered') || !this.#mayRegister())
        throw error;
      await this.register(undefined, options);
      return this.#call(call, request, options);
    }
  }

  /** Once a while: what is registered and still unknown has another trouble, which no repetition heals. */
  #mayRegister(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (this.#registeredAtMs !== undefined && nowMs - this.#registeredAtMs < registerIntervalMs) return false;
    this.#registeredAtMs = nowMs;
    return true;
  }

  async #call(
    call: string,
    request: PinnedRequest,
    options: CallOptions & { readonly bytesMax?: number },
  ): Promise<RelayAnswer> {
    const { signal, deadlineMs = callDeadlineMs, bytesMax = answerBytesMax } = options;
    signal?.throwIfAborted();
    try {
      const answer = await withDeadline(`Asking the relay (${call})`, deadlineMs, signal, (inner) =>
        this.#sendTwice({ ...request, signal: inner }, bytesMax),
      );
      this.#noteClock(answer.headers.date);
      if (answer.status >= 200 && answer.status < 300) return answer;
      throw statusRelayError(this.url.origin, call, answer, this.#clock.nowMs());
    } catch (error) {
      signal?.throwIfAborted();
      const failure = connectionRelayError(this.url.origin, error);
      this.emit('callFailed', failure);
      throw failure;
    }
  }

  /** A kept connection may have died unnoticed: the request that finds out is sent again over a new one. */
  async #sendTwice(request: PinnedRequest, bytesMax: number): Promise<RelayAnswer> {
    const connections = this.#connections;
    try {
      return await exchange(connections, request, bytesMax);
    } catch (error) {
      const isDropped = this.#connections !== connections;
      if (request.signal?.aborted === true || !(isDropped || isCut(error))) throw error;
      return exchange(this.#connections, request, bytesMax);
    }
  }

  #parse<T>(schema: z.ZodType<T>, answer: RelayAnswer, call: string): T {
    let value: unknown;
    try {
      value = JSON.parse(answer.body);
    } catch (cause) {
      throw notARelay(this.url.origin, `${call} was not answered with JSON`, { cause });
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const what = `${call} was answered with ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'another shape'}`;
    throw notARelay(this.url.origin, what, { cause: parsed.error });
  }

  #noteClock(date: string | undefined): void {
    const relayMs = date === undefined ? Number.NaN : Date.parse(date);
    if (Number.isNaN(relayMs)) return;
    // The header is cut to whole seconds: half of one is the least error.
    this.#clockOffsetMs = relayMs + 500 - this.#clock.nowMs();
  }
}

async function exchange(
  connections: PinnedClient,
  request: PinnedRequest,
  bytesMax: number,
): Promise<RelayAnswer> {
  const response = await connections.send(request);
  const body = await readBody(response, bytesMax);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

function isCut(error: unknown): boolean {
  const code = failureCodeOf(error);
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function readClaims(pem: string, email: Email): CertificateClaims[] {
  try {
    const claims = readCertificate(pem);
    return claims.email === email ? [claims] : [];
  } catch (error) {
    if (error instanceof CertificateError) return [];
    throw error;
  }
}
