import { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import type { Identity } from '../../identity/key-store.ts';
import { PinnedClient } from '../../identity/pinned-client.ts';
import { type Clock, systemClock } from '../../util/clock.ts';
import { DeadlineError, linkAbort, withDeadline } from '../../util/deadline.ts';
import { Places } from '../../util/places.ts';
import type { Email } from '../../wire/email.ts';
import type { FailureCode } from '../../wire/local-api.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { DiscoveryError } from '../discovery/discovery-error.ts';
import { describeConnectionFailure } from '../network/connection-failure.ts';
import type { FriendBook } from './friend-book.ts';
import { askHealth, type HealthAnswer } from './health-check.ts';

export interface PingerOptions {
  readonly friends: FriendBook;
  readonly discovery: Discovery;
  readonly identity: () => Identity;
  /** The setting `friendPingSeconds`. */
  readonly pingSeconds: number;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** What the last health check of a peer found. */
export type CheckResult = { readonly checkedAtMs: number } & (
  | {
      readonly kind: 'online';
      readonly roundTripMs: number;
      /** As in a URL. */
      readonly address: string;
      /** Online, but: does not admit us, shares nothing now, is busy. */
      readonly cause?: string;
    }
  | { readonly kind: 'offline'; readonly cause: string }
  | { readonly kind: 'error'; readonly cause: string; readonly code: FailureCode }
);

export interface PingerEvents {
  checked: [email: Email, result: CheckResult];
}

/** Checks under way at once: a few handshakes and look-ups, which neither this machine nor the relay notices. */
const checksAtOnceMax = 8;
/** A race for an address (10 s), a look-up and an answer, and an end for all of it. */
const checkDeadlineMs = 20_000;
/** Friends whose connection stays open between checks; the others' are opened anew, at a handshake each. */
const keptConnectionsMax = 64;
/** Checks are drawn from the last fifth of the interval: never later than it, lest who is there seems not to be. */
const intervalJitter = 0.2;

interface Watched {
  readonly email: Email;
  timer: Disposable | undefined;
  running: Promise<CheckResult> | undefined;
  /** Asked for anew while a check was running. */
  isStale: boolean;
  kept: { readonly client: PinnedClient; readonly address: string } | undefined;
  last: { readonly result: CheckResult; readonly atMs: number } | undefined;
}

/**
 * Asks each friend's house for `/health` at least every `pingSeconds`, over the connection of the last time, else where it
 * was last, else where the relay says it is now (mission C5). Starts at once; disposal stops it and closes its connections.
 */
export class Pinger extends EventEmitter<PingerEvents> implements AsyncDisposable {
  readonly #options: PingerOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #intervalMs: number;
  readonly #life = new AbortController();
  readonly #places = new Places(checksAtOnceMax);
  readonly #watchedByEmail = new Map<Email, Watched>();
  readonly #pending = new Set<Promise<unknown>>();
  readonly #onAdded = (email: Email): void => this.#watch(email);
  readonly #onRemoved = (email: Email): void => this.#unwatch(email);
  readonly #onChanged = (email: Email): void => {
    this.#unwatch(email);
    this.#watch(email);
  };
  /** Of the connections that this network carries; replaced when the network is. */
  #network = linkAbort();

  constructor(options: PingerOptions) {
    super();
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#intervalMs = options.pingSeconds * 1000;
    const { friends } = options;
    friends.on('friendAdded', this.#onAdded);
    friends.on('friendRemoved', this.#onRemoved);
    friends.on('friendChanged', this.#onChanged);
    for (const { email } of friends.friends()) this.#watch(email);
  }

  /** The last result of a friend while it is fresh, as the mission defines *reachable*; undefined while nothing is known. */
  resultOf(email: Email): CheckResult | undefined {
    const last = this.#watchedByEmail.get(email)?.last;
    if (last === undefined) return undefined;
    // The check that follows may still be running; a machine that slept has had none.
    const freshMs = this.#intervalMs + checkDeadlineMs;
    const ageMs = Math.max(
      this.#clock.monotonicMs() - last.atMs,
      this.#clock.nowMs() - last.result.checkedAtMs,
    );
    return ageMs <= freshMs ? last.result : undefined;
  }

  /** Checks one person now, friend or not, and waits for the result. Rejects only with the signal's reason. */
  async check(
    email: Email,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<CheckResult> {
    const watched = this.#watchedByEmail.get(email);
    if (watched !== undefined) return orAbort(this.#checkNow(watched), options.signal);
    const stranger = newWatched(email);
    try {
      using link = linkAbort(this.#life.signal, options.signal);
      return await this.#perform(stranger, link.signal);
    } finally {
      stranger.kept?.client[Symbol.dispose]();
    }
  }

  /** Kept connections are dropped, checks under way begin anew, and everybody is asked again. */
  networkChanged(): void {
    const old = this.#network;
    this.#network = linkAbort();
    for (const watched of this.#watchedByEmail.values()) {
      drop(watched);
      this.#again(watched);
    }
    old.abort(new Error('the network changed'));
  }

  /** Friends who were not found are asked for again: it may know where they are now. */
  relayReturned(): void {
    for (const watched of this.#watchedByEmail.values())
      if (watched.last?.result.kind !== 'online') this.#again(watched);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { friends } = this.#options;
    friends.off('friendAdded', this.#onAdded);
    friends.off('friendRemoved', this.#onRemoved);
    friends.off('friendChanged', this.#onChanged);
    this.#life.abort(new Error('the pinger was stopped'));
    for (const email of this.#watchedByEmail.keys()) this.#unwatch(email);
    await Promise.allSettled(this.#pending);
  }

  #watch(email: Email): void {
    if (this.#watchedByEmail.has(email)) return;
    const watched = newWatched(email);
    this.#watchedByEmail.set(email, watched);
    this.#schedule(watched, 0);
  }

  #unwatch(email: Email): void {
    const watched = this.#watchedByEmail.get(email);
    if (watched === undefined) return;
    this.#watchedByEmail.delete(email);
    watched.timer?.[Symbol.dispose]();
    drop(watched);
  }

  #schedule(watched: Watched, delayMs: number): void {
    watched.timer?.[Symbol.dispose]();
    watched.timer = this.#clock.after(delayMs, () => {
      watched.timer = undefined;
      void this.#checkNow(watched);
    });
  }

  #again(watched: Watched): void {
    if (watched.running === undefined) this.#schedule(watched, 0);
    else watched.isStale = true;
  }

  /** One check at a time for each friend; who asks meanwhile shares its result. */
  #checkNow(watched: Watched): Promise<CheckResult> {
    if (watched.running !== undefined) return watched.running;
    watched.timer?.[Symbol.dispose]();
    watched.timer = undefined;
    const running = this.#checkUntilCurrent(watched).finally(() => {
      watched.running = undefined;
      this.#pending.delete(running);
      if (this.#isWatched(watched))
        this.#schedule(watched, this.#intervalMs * (1 - intervalJitter * this.#random()));
    });
    watched.running = running;
    this.#pending.add(running);
    return running;
  }

  async #checkUntilCurrent(watched: Watched): Promise<CheckResult> {
    for (;;) {
      watched.isStale = false;
      using link = linkAbort(this.#life.signal, this.#network.signal);
      const result = await this.#perform(watched, link.signal).catch((error: unknown) => {
        if (link.signal.aborted) return this.#offline('the check was broken off');
        throw error;
      });
      if (watched.isStale && this.#isWatched(watched)) continue;
      if (!this.#isWatched(watched)) drop(watched);
      else {
        watched.last = { result, atMs: this.#clock.monotonicMs() };
        this.emit('checked', watched.email, result);
      }
      return result;
    }
  }

  /** Over the kept connection if it still works, which costs next to nothing; else with a place in line. Rejects only with the signal's reason. */
  async #perform(watched: Watched, signal: AbortSignal): Promise<CheckResult> {
    const kept = await this.#askKept(watched, signal);
    if (kept !== undefined) return kept;
    using _place = await this.#places.take(signal);
    try {
      return await withDeadline(`Checking ${watched.email}`, checkDeadlineMs, signal, (inner) =>
        this.#connectAndAsk(watched, inner),
      );
    } catch (error) {
      signal.throwIfAborted();
      return this.#describeFailure(watched.email, error);
    }
  }

  async #askKept(watched: Watched, signal: AbortSignal): Promise<CheckResult | undefined> {
    if (watched.kept === undefined) return undefined;
    const { client, address } = watched.kept;
    try {
      return this.#result(await askHealth(client, signal), address);
    } catch (error) {
      drop(watched);
      signal.throwIfAborted();
      this.#options.log.debug({ peer: watched.email, address, error }, 'kept connection is dead');
      return undefined;
    }
  }

  async #connectAndAsk(watched: Watched, signal: AbortSignal): Promise<CheckResult> {
    const route = await this.#options.discovery.connect(watched.email, { signal });
    const { host, port, expected, firstSocket, address } = route;
    const identity = this.#options.identity();
    const client = new PinnedClient({ host, port, expected, firstSocket, identity, socketsMax: 1 });
    try {
      const result = this.#result(await askHealth(client, signal), address);
      if (this.#hasRoom()) watched.kept = { client, address };
      else client[Symbol.dispose]();
      return result;
    } catch (error) {
      client[Symbol.dispose]();
      throw error;
    }
  }

  #result(answer: HealthAnswer, address: string): CheckResult {
    const checkedAtMs = this.#clock.nowMs();
    return answer.kind === 'online' ? { ...answer, checkedAtMs, address } : { ...answer, checkedAtMs };
  }

  #describeFailure(email: Email, error: unknown): CheckResult {
    if (error instanceof DiscoveryError) {
      const { code, message } = error;
      if (code !== 'identity_changed' && code !== 'failed') return this.#offline(message);
      return { kind: 'error', checkedAtMs: this.#clock.nowMs(), cause: message, code };
    }
    if (error instanceof DeadlineError) return this.#offline(`no answer within ${checkDeadlineMs / 1000} s`);
    this.#options.log.debug({ peer: email, error }, 'health check failed');
    return this.#offline(`its address answers, and its house does not: ${describeConnectionFailure(error)}`);
  }

  #offline(cause: string): CheckResult {
    return { kind: 'offline', checkedAtMs: this.#clock.nowMs(), cause };
  }

  #isWatched(watched: Watched): boolean {
    return this.#watchedByEmail.get(watched.email) === watched;
  }

  #hasRoom(): boolean {
    let kept = 0;
    for (const watched of this.#watchedByEmail.values()) if (watched.kept !== undefined) kept += 1;
    return kept < keptConnectionsMax;
  }
}

function newWatched(email: Email): Watched {
  return { email, timer: undefined, running: undefined, isStale: false, kept: undefined, last: undefined };
}

function drop(watched: Watched): void {
  watched.kept?.client[Symbol.dispose]();
  watched.kept = undefined;
}

async function orAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
