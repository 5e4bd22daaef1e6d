import { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import { Backoff } from '../../util/backoff.ts';
import { type Clock, systemClock } from '../../util/clock.ts';
import { type LinkedAbort, linkAbort } from '../../util/deadline.ts';
import type { RelayState } from '../../wire/local-api.ts';
import type { ReadyRequest } from '../../wire/relay-http.ts';
import { formatRelayUrl } from '../../wire/relay-url.ts';
import {
  type AnnouncerMemory,
  afterFailure,
  afterHint,
  afterSuccess,
  describe,
  initialMemory,
  nextStep,
  type Step,
  withFreshStart,
  withOffer,
} from './announcer-core.ts';
import type { RelayClient } from './relay-client.ts';
import { RelayError } from './relay-error.ts';

export interface AnnouncerOptions {
  readonly relay: RelayClient;
  /** The setting `broadcastRefreshSeconds`; a relay that forgets sooner is told sooner. */
  readonly refreshSeconds: number;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface AnnouncerEvents {
  /** Another state or reason than before. */
  stateChanged: [state: RelayState];
}

/** A relay that restarts is back within seconds; one that is gone is asked once a minute. */
const backoff = { firstMs: 1000, maxMs: 60_000 };
/** A clean stop must end within five seconds altogether. */
const withdrawDeadlineMs = 2000;
/** Refreshes are drawn from the last tenth of the interval, lest everybody who came back together stays together. */
const refreshJitter = 0.1;

/**
 * Keeps us announced: register, ready, refresh, and again after every failure; it never gives up. Starts at the first call
 * of {@link offer}. Disposal withdraws the broadcast, within two seconds.
 */
export class Announcer extends EventEmitter<AnnouncerEvents> implements AsyncDisposable {
  readonly #relay: RelayClient;
  readonly #refreshMs: number;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  readonly #life = new AbortController();
  readonly #running: Promise<void>;
  readonly #onRelayFailure = (error: RelayError): void =>
    this.#set(afterHint(this.#memory, error, this.#clock.monotonicMs(), () => this.#backoff.nextMs()));
  #memory: AnnouncerMemory = initialMemory;
  #shown: RelayState;
  #call: LinkedAbort | undefined;
  #wake: () => void = () => {};

  constructor(options: AnnouncerOptions) {
    super();
    this.#relay = options.relay;
    this.#refreshMs = options.refreshSeconds * 1000;
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#backoff = new Backoff({ ...backoff, random: this.#random });
    this.#shown = this.state;
    this.#relay.on('callFailed', this.#onRelayFailure);
    this.#running = this.#run();
  }

  get state(): RelayState {
    const { origin, fingerprint } = this.#relay.url;
    return describe(this.#memory, formatRelayUrl(origin, fingerprint), {
      nowMs: this.#clock.monotonicMs(),
      wallMs: this.#clock.nowMs(),
    });
  }

  /** What to announce from now on; undefined withdraws it (sharing is off). The same again changes nothing. */
  offer(request: ReadyRequest | undefined): void {
    this.#set(withOffer(this.#memory, request));
  }

  /** Drops connections, tries at once and announces anew, whatever it waits for: after a sleep or a network change. */
  refreshNow(): void {
    this.#backoff.reset();
    this.#relay.dropConnections();
    this.#set(withFreshStart(this.#memory));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#relay.off('callFailed', this.#onRelayFailure);
    // Cut off, it may have arrived nevertheless.
    const mayBeAnnounced = this.#memory.announcedAtMs !== undefined || this.#call !== undefined;
    this.#life.abort(new Error('the announcer was stopped'));
    this.#wake();
    await this.#running;
    if (!mayBeAnnounced) return;
    try {
      await this.#relay.withdraw({ deadlineMs: withdrawDeadlineMs });
      this.#log.info('broadcast withdrawn');
    } catch (error) {
      this.#log.warn({ error }, 'the broadcast could not be withdrawn, it expires by itself');
    }
  }

  async #run(): Promise<void> {
    while (!this.#life.signal.aborted) {
      const step = nextStep(this.#memory, this.#clock.monotonicMs());
      if (step.kind === 'wait') await this.#waitUntil(step.untilMs);
      else await this.#make(step);
    }
  }

  async #make(step: Extract<Step, { kind: 'call' }>): Promise<void> {
    using call = linkAbort(this.#life.signal);
    this.#call = call;
    try {
      const refreshInMs = await this.#send(step, call.signal);
      this.#backoff.reset();
      const time = { nowMs: this.#clock.monotonicMs(), wallMs: this.#clock.nowMs(), refreshInMs };
      this.#set(afterSuccess(this.#memory, step, time));
    } catch (error) {
      if (this.#life.signal.aborted) return;
      const failure =
        error instanceof RelayError
          ? error
          : new RelayError('protocol', `Announcing went wrong: ${String(error)}`, { cause: error });
      if (!(error instanceof RelayError)) this.#log.error({ error }, 'announcing went wrong');
      const nowMs = this.#clock.monotonicMs();
      this.#set(afterFailure(this.#memory, step.call, failure, nowMs, this.#backoff.nextMs()));
    } finally {
      this.#call = undefined;
    }
  }

  /** @returns when to refresh, milliseconds from now. */
  async #send(step: Extract<Step, { kind: 'call' }>, signal: AbortSignal): Promise<number> {
    let intervalMs = this.#refreshMs;
    if (step.call === 'ready') {
      const { expiresInMs } = await this.#relay.ready(step.offer, { signal });
      intervalMs = Math.min(intervalMs, expiresInMs / 2);
    } else if (step.call === 'register') await this.#relay.register(undefined, { signal });
    else await this.#relay.withdraw({ signal });
    return intervalMs * (1 - refreshJitter * this.#random());
  }

  async #waitUntil(untilMs: number | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    if (untilMs === undefined) return promise;
    using _timer = this.#clock.after(Math.max(0, untilMs - this.#clock.monotonicMs()), resolve);
    await promise;
  }

  #set(memory: AnnouncerMemory): void {
    if (memory === this.#memory) return;
    this.#memory = memory;
    this.#wake();
    const state = this.state;
    const before = this.#shown;
    this.#shown = state;
    if (before.state === state.state && before.reason === state.reason) return;
    const fields = { state: state.state, ...(state.reason !== undefined && { reason: state.reason }) };
    if (state.state === 'away' || state.state === 'refused') this.#log.warn(fields, 'relay');
    else this.#log.info(fields, 'relay');
    this.emit('stateChanged', state);
  }
}
