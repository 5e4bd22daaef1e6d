import type { TLSSocket } from 'node:tls';
import { type CertificateClaims, CertificateError, claimsOf } from '../../identity/certificate.ts';
import {
  connectPinned,
  type Expected,
  PeerMismatchError,
  peerCertificate,
} from '../../identity/connect-pinned.ts';
import type { KeyAndCertificate } from '../../identity/create-identity.ts';
import type { Fingerprint } from '../../identity/fingerprint.ts';
import { type Clock, systemClock } from '../../util/clock.ts';
import { type LinkedAbort, linkAbort } from '../../util/deadline.ts';
import type { Email } from '../../wire/email.ts';
import { describeConnectionFailure } from '../network/connection-failure.ts';
import { type Candidate, candidateAddress } from './dial-order.ts';

/** What one address did, for `why` and `doctor`. */
export interface DialAttempt {
  /** As in a URL. */
  readonly address: string;
  readonly origin: Candidate['origin'];
  /**
   * `somebody_else`: another machine has that address (192.168.1.5 is in every second network), nothing is wrong.
   * `identity_changed`: the certificate shown carries the peer's e-mail, and is not the pinned one.
   */
  readonly outcome: 'won' | 'failed' | 'somebody_else' | 'identity_changed' | 'abandoned' | 'not_tried';
  /** In words for a person. */
  readonly detail: string;
  /** From its first packet to its end; absent when it was not tried. */
  readonly elapsedMs?: number;
  /** Fingerprint of a certificate that was not the one expected. */
  readonly presented?: Fingerprint;
}

export interface DialWinner {
  /** The caller's: to use or to destroy. */
  readonly socket: TLSSocket;
  readonly candidate: Candidate;
  readonly claims: CertificateClaims;
}

export interface DialOutcome {
  /** Undefined when nobody right answered. */
  readonly winner: DialWinner | undefined;
  readonly attempts: readonly DialAttempt[];
}

export interface DialRaceOptions {
  /** Who must answer, by e-mail and by key. */
  readonly email: Email;
  readonly expected: Expected;
  readonly identity: KeyAndCertificate;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
}

/** RFC 8305 §5, Connection Attempt Delay. */
const attemptDelayMs = 250;
/** For all of it: a person waits, and an address that does not answer within this will not. */
const raceDeadlineMs = 10_000;

type Running = { readonly candidate: Candidate; readonly startedMs: number };

/**
 * Tries addresses, each a little after the one before or at once when one has failed (RFC 8305), until somebody proves the
 * expected key; whoever shows another one is cut off before a byte of ours is sent. Addresses may come while it runs.
 *
 * Call {@link close} when no more will come; {@link outcome} resolves then, at the latest after ten seconds, and rejects
 * only with the signal's reason. Losing connections are destroyed.
 */
export class DialRace {
  readonly outcome: Promise<DialOutcome>;
  /** Resolves when, for the first time, everything added so far has failed, or when the race is over. */
  readonly stalled: Promise<void>;
  readonly #options: DialRaceOptions;
  readonly #clock: Clock;
  readonly #link: LinkedAbort;
  readonly #deadline: Disposable;
  readonly #waiting: Candidate[] = [];
  readonly #running = new Set<Running>();
  readonly #attempts: DialAttempt[] = [];
  readonly #seen = new Set<string>();
  readonly #resolve: (outcome: DialOutcome) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #resolveStalled: () => void;
  readonly #onAbort: () => void;
  /** While it runs, the next attempt waits. */
  #pause: Disposable | undefined;
  #isClosed = false;
  #isOver = false;

  constructor(options: DialRaceOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#link = linkAbort(options.signal);
    ({
      promise: this.outcome,
      resolve: this.#resolve,
      reject: this.#reject,
    } = Promise.withResolvers<DialOutcome>());
    ({ promise: this.stalled, resolve: this.#resolveStalled } = Promise.withResolvers<void>());
    this.#deadline = this.#clock.after(raceDeadlineMs, () => this.#finish(undefined));
    this.#onAbort = () => this.#giveUp();
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (options.signal?.aborted === true) this.#giveUp();
  }

  /** Adds addresses behind those that wait; known ones are not tried twice. */
  add(candidates: readonly Candidate[]): void {
    for (const candidate of candidates) {
      const address = candidateAddress(candidate);
      if (this.#seen.has(address)) continue;
      this.#seen.add(address);
      this.#waiting.push(candidate);
    }
    if (this.#pause === undefined) this.#startNext();
  }

  /** No more addresses will come. */
  close(): void {
    this.#isClosed = true;
    this.#startNextOrEnd();
  }

  #startNextOrEnd(): void {
    if (this.#isOver || this.#running.size > 0) return;
    if (this.#waiting.length > 0) {
      this.#startNext();
      return;
    }
    this.#resolveStalled();
    if (this.#isClosed) this.#finish(undefined);
  }

  #startNext(): void {
    if (this.#isOver) return;
    this.#pause?.[Symbol.dispose]();
    this.#pause = undefined;
    const candidate = this.#waiting.shift();
    if (candidate === undefined) return;
    this.#pause = this.#clock.after(attemptDelayMs, () => this.#startNext());
    const running = { candidate, startedMs: this.#clock.monotonicMs() };
    this.#running.add(running);
    const { expected, identity } = this.#options;
    const { host, port } = candidate;
    connectPinned({ host, port, expected, identity, signal: this.#link.signal }).then(
      (socket) => this.#onConnected(running, socket),
      (error: unknown) => this.#onFailed(running, error),
    );
  }

  #onConnected(running: Running, socket: TLSSocket): void {
    if (this.#isOver) {
      destroyQuietly(socket);
      return;
    }
    try {
      const claims = provenClaims(socket, this.#options.email);
      this.#running.delete(running);
      this.#note(running.candidate, 'won', 'answered with the expected certificate', running.startedMs);
      this.#finish({ socket, candidate: running.candidate, claims });
    } catch (error) {
      destroyQuietly(socket);
      this.#onFailed(running, error);
    }
  }

  #onFailed(running: Running, error: unknown): void {
    if (this.#isOver) return;
    this.#running.delete(running);
    const { candidate, startedMs } = running;
    if (error instanceof PeerMismatchError) {
      const isPeer = carriesEmail(error, this.#options.email);
      const { presented } = error;
      if (isPeer)
        this.#note(
          candidate,
          'identity_changed',
          'shows another certificate under the same e-mail',
          startedMs,
          presented,
        );
      else
        this.#note(candidate, 'somebody_else', 'another machine has this address here', startedMs, presented);
    } else this.#note(candidate, 'failed', describeConnectionFailure(error), startedMs);
    if (this.#waiting.length > 0) this.#startNext();
    else this.#startNextOrEnd();
  }

  #finish(winner: DialWinner | undefined): void {
    if (!this.#end()) return;
    const seconds = raceDeadlineMs / 1000;
    for (const { candidate, startedMs } of this.#running) {
      if (winner === undefined) this.#note(candidate, 'failed', `no answer within ${seconds} s`, startedMs);
      else this.#note(candidate, 'abandoned', 'another address was faster', startedMs);
    }
    for (const candidate of this.#waiting)
      this.#note(
        candidate,
        'not_tried',
        winner === undefined ? 'time ran out' : 'another address answered first',
      );
    this.#resolve({ winner, attempts: this.#attempts });
  }

  #giveUp(): void {
    if (this.#end()) this.#reject(this.#options.signal?.reason);
  }

  /** @returns false when it was over already. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#deadline[Symbol.dispose]();
    this.#pause?.[Symbol.dispose]();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#link.abort(new Error('the race is over'));
    this.#link[Symbol.dispose]();
    this.#resolveStalled();
    return true;
  }

  #note(
    candidate: Candidate,
    outcome: DialAttempt['outcome'],
    detail: string,
    startedMs?: number,
    presented?: Fingerprint,
  ): void {
    this.#attempts.push({
      address: candidateAddress(candidate),
      origin: candidate.origin,
      outcome,
      detail,
      ...(startedMs !== undefined && { elapsedMs: Math.round(this.#clock.monotonicMs() - startedMs) }),
      ...(presented !== undefined && { presented }),
    });
  }
}

/** The pin names a key; that the certificate carries the e-mail too is checked here, because a renewed one is new to us. */
function provenClaims(socket: TLSSocket, email: Email): CertificateClaims {
  const certificate = peerCertificate(socket);
  if (certificate === undefined) throw new Error('it showed no certificate');
  const claims = claimsOf(certificate);
  if (claims.email !== email) throw new Error('its certificate is for another e-mail');
  return claims;
}

/**
 * Whether the stranger claims to be the peer. Only then has an identity changed: a private address that leads to the peer at
 * home leads to some other machine elsewhere, and its certificate says nothing about the peer.
 */
function carriesEmail(error: PeerMismatchError, email: Email): boolean {
  if (error.certificate === undefined) return false;
  try {
    return claimsOf(error.certificate).email === email;
  } catch (cause) {
    if (cause instanceof CertificateError) return false;
    throw cause;
  }
}

function destroyQuietly(socket: TLSSocket): void {
  socket.on('error', () => {});
  socket.destroy();
}
