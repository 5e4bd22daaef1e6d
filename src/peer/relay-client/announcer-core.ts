/** What the announcer does next, and what it makes of each answer: pure, time is handed in (monotonic milliseconds unless named otherwise). */
import { isDeepStrictEqual } from 'node:util';
import type { RelayState } from '../../wire/local-api.ts';
import type { ReadyRequest } from '../../wire/relay-http.ts';
import type { RelayError } from './relay-error.ts';

export type RelayCall = 'register' | 'ready' | 'withdraw';

/** Where the announcer stands. */
type Phase =
  /** Nothing was offered yet. */
  | { readonly kind: 'idle' }
  /** This call is to be made now, or is under way. */
  | { readonly kind: 'due'; readonly call: RelayCall }
  | { readonly kind: 'announced'; readonly offer: ReadyRequest; readonly refreshAtMs: number }
  /** Registered and not announced. The registration is refreshed: without it nobody can be looked up. */
  | { readonly kind: 'withdrawn'; readonly refreshAtMs: number }
  | {
      readonly kind: 'waiting';
      readonly call: RelayCall;
      readonly retryAtMs: number;
      /** The relay asked for this much patience: no event shortens it. */
      readonly notBeforeMs: number;
    };

export interface AnnouncerMemory {
  readonly phase: Phase;
  /** What should be announced; undefined: nothing. */
  readonly offer: ReadyRequest | undefined;
  /** It told us that it does not know us, and has not accepted anything since. */
  readonly isForgotten: boolean;
  /** Why it does not work, until it does. */
  readonly problem: { readonly kind: 'away' | 'refused'; readonly reason: string } | undefined;
  /** Wall clock, of the last broadcast that was accepted and not withdrawn. */
  readonly announcedAtMs: number | undefined;
}

export type Step =
  | { readonly kind: 'call'; readonly call: 'register' | 'withdraw' }
  | { readonly kind: 'call'; readonly call: 'ready'; readonly offer: ReadyRequest }
  | { readonly kind: 'wait'; readonly untilMs: number | undefined };

export const initialMemory: AnnouncerMemory = {
  phase: { kind: 'idle' },
  offer: undefined,
  isForgotten: false,
  problem: undefined,
  announcedAtMs: undefined,
};

/** What waiting does not heal (an e-mail that is taken) an operator may; looking now and then costs nothing. */
export const refusedRetryMs = 600_000;

export function nextStep(memory: AnnouncerMemory, nowMs: number): Step {
  const { phase, offer } = memory;
  switch (phase.kind) {
    case 'idle':
      return { kind: 'wait', untilMs: undefined };
    case 'due':
      return step(phase.call, offer);
    case 'announced':
      if (nowMs >= phase.refreshAtMs || !isDeepStrictEqual(phase.offer, offer)) return step('ready', offer);
      return { kind: 'wait', untilMs: phase.refreshAtMs };
    case 'withdrawn':
      if (offer !== undefined) return step('ready', offer);
      if (nowMs >= phase.refreshAtMs) return step('register', offer);
      return { kind: 'wait', untilMs: phase.refreshAtMs };
    default:
      if (nowMs >= phase.retryAtMs) return step(phase.call, offer);
      return { kind: 'wait', untilMs: phase.retryAtMs };
  }
}

/** Another offer, and what waited for something else to heal tries at once. The same offer changes nothing. */
export function withOffer(memory: AnnouncerMemory, offer: ReadyRequest | undefined): AnnouncerMemory {
  if (memory.phase.kind === 'idle') return { ...memory, offer, phase: { kind: 'due', call: 'register' } };
  if (isDeepStrictEqual(memory.offer, offer)) return memory;
  return withoutPatience({ ...memory, offer });
}

/** The network is another one, or the machine woke: everything is tried and announced anew. */
export function withFreshStart(memory: AnnouncerMemory): AnnouncerMemory {
  const { phase } = memory;
  if (phase.kind === 'announced' || phase.kind === 'withdrawn')
    return { ...memory, phase: { ...phase, refreshAtMs: 0 } };
  return withoutPatience(memory);
}

/** Somebody else's call showed that the relay is away or has forgotten us; what is under way finds out by itself. */
export function afterHint(
  memory: AnnouncerMemory,
  error: RelayError,
  nowMs: number,
  backoffMs: () => number,
): AnnouncerMemory {
  const { kind } = memory.phase;
  if (kind !== 'announced' && kind !== 'withdrawn') return memory;
  if (error.code === 'unregistered') return { ...memory, phase: { kind: 'due', call: 'register' } };
  const isAway = error.code === 'unreachable' || error.code === 'identity_mismatch';
  return isAway ? afterFailure(memory, 'register', error, nowMs, backoffMs()) : memory;
}

/** @param refreshInMs when to refresh what was accepted. */
export function afterSuccess(
  memory: AnnouncerMemory,
  done: Extract<Step, { kind: 'call' }>,
  time: { readonly nowMs: number; readonly wallMs: number; readonly refreshInMs: number },
): AnnouncerMemory {
  const refreshAtMs = time.nowMs + time.refreshInMs;
  const healed = { isForgotten: false, problem: undefined };
  switch (done.call) {
    case 'register': {
      // What was wrong is healed when the call that it was about is.
      const call = memory.offer === undefined ? 'withdraw' : 'ready';
      return { ...memory, phase: { kind: 'due', call } };
    }
    case 'ready': {
      const phase = { kind: 'announced', offer: done.offer, refreshAtMs } as const;
      return { ...memory, ...healed, announcedAtMs: time.wallMs, phase };
    }
    default:
      return { ...memory, ...healed, announcedAtMs: undefined, phase: { kind: 'withdrawn', refreshAtMs } };
  }
}

export function afterFailure(
  memory: AnnouncerMemory,
  call: RelayCall,
  error: RelayError,
  nowMs: number,
  backoffMs: number,
): AnnouncerMemory {
  if (error.code === 'unregistered' && !memory.isForgotten)
    return { ...memory, isForgotten: true, phase: { kind: 'due', call: 'register' } };
  // Registered a moment ago and still unknown: an expired certificate, or a relay that is broken.
  const isRefused = error.code === 'refused' || error.code === 'unregistered';
  const retryAfterMs = error.retryAfterMs ?? 0;
  return {
    ...memory,
    problem: { kind: isRefused ? 'refused' : 'away', reason: error.message },
    phase: {
      kind: 'waiting',
      // Whoever refused this may have forgotten the registration as well.
      call: isRefused ? 'register' : call,
      retryAtMs: nowMs + Math.max(isRefused ? refusedRetryMs : backoffMs, retryAfterMs),
      notBeforeMs: nowMs + retryAfterMs,
    },
  };
}

export function describe(
  memory: AnnouncerMemory,
  url: string,
  time: { readonly nowMs: number; readonly wallMs: number },
): RelayState {
  const { phase, problem, announcedAtMs } = memory;
  const announcedAt =
    announcedAtMs === undefined ? {} : { announcedAt: new Date(announcedAtMs).toISOString() };
  if (problem !== undefined) {
    const nextTryAtMs =
      phase.kind === 'waiting' ? time.wallMs + Math.max(0, phase.retryAtMs - time.nowMs) : undefined;
    return {
      state: problem.kind,
      url,
      reason: problem.reason,
      ...announcedAt,
      ...(nextTryAtMs !== undefined && { nextTryAt: new Date(nextTryAtMs).toISOString() }),
    };
  }
  if (phase.kind === 'withdrawn') return { state: 'withdrawn', url };
  return { state: announcedAtMs === undefined ? 'connecting' : 'announced', url, ...announcedAt };
}

function withoutPatience(memory: AnnouncerMemory): AnnouncerMemory {
  const { phase } = memory;
  if (phase.kind !== 'waiting') return memory;
  return { ...memory, phase: { ...phase, retryAtMs: phase.notBeforeMs } };
}

/** What is announced or withdrawn is decided by the offer at the moment of the call. */
function step(call: RelayCall, offer: ReadyRequest | undefined): Step {
  if (call === 'register') return { kind: 'call', call };
  return offer === undefined ? { kind: 'call', call: 'withdraw' } : { kind: 'call', call: 'ready', offer };
}
