import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReadyRequest } from '../../wire/relay-http.ts';
import {
  type AnnouncerMemory,
  afterFailure,
  afterHint,
  afterSuccess,
  describe,
  initialMemory,
  nextStep,
  refusedRetryMs,
  withFreshStart,
  withOffer,
} from './announcer-core.ts';
import { RelayError } from './relay-error.ts';

const offer: ReadyRequest = { port: 4711, addresses: ['192.168.1.5'] };
const moved: ReadyRequest = { port: 4711, addresses: ['10.0.0.5'] };
const wallMs = Date.UTC(2026, 0, 1);
const refreshInMs = 1_800_000;
const url = 'https://relay.example:3000';

const away = new RelayError('unreachable', 'nobody answers');
const forgotten = new RelayError('unregistered', 'not registered');
const refused = new RelayError('refused', 'the email is taken');

/** The names of the calls that are made at `nowMs` when each succeeds, and the memory afterwards. */
function settle(memory: AnnouncerMemory, nowMs: number): { calls: string[]; memory: AnnouncerMemory } {
  const calls: string[] = [];
  let current = memory;
  for (;;) {
    const step = nextStep(current, nowMs);
    if (step.kind === 'wait') return { calls, memory: current };
    calls.push(step.call);
    assert.ok(calls.length < 10, calls.join(' '));
    current = afterSuccess(current, step, { nowMs, wallMs, refreshInMs });
  }
}

const fail = (
  memory: AnnouncerMemory,
  error: RelayError,
  nowMs: number,
  backoffMs = 1000,
): AnnouncerMemory => {
  const step = nextStep(memory, nowMs);
  assert.ok(step.kind === 'call');
  return afterFailure(memory, step.call, error, nowMs, backoffMs);
};

const announced = settle(withOffer(initialMemory, offer), 0).memory;
const stateOf = (memory: AnnouncerMemory, nowMs = 0): string =>
  describe(memory, url, { nowMs, wallMs }).state;

test('without an offer nothing is done', () => {
  assert.deepEqual(nextStep(initialMemory, 0), { kind: 'wait', untilMs: undefined });
  assert.equal(stateOf(initialMemory), 'connecting');
});

test('the first offer is registered and announced, then refreshed in time', () => {
  assert.deepEqual(settle(withOffer(initialMemory, offer), 0).calls, ['register', 'ready']);
  assert.equal(stateOf(announced), 'announced');
  assert.deepEqual(nextStep(announced, 5), { kind: 'wait', untilMs: refreshInMs });
  const refreshed = settle(announced, refreshInMs);
  assert.deepEqual(refreshed.calls, ['ready']);
  assert.deepEqual(nextStep(refreshed.memory, refreshInMs), { kind: 'wait', untilMs: 2 * refreshInMs });
});

test('another offer is announced at once, the same one is not', () => {
  assert.equal(withOffer(announced, structuredClone(offer)), announced);
  assert.deepEqual(nextStep(withOffer(announced, moved), 5), { kind: 'call', call: 'ready', offer: moved });
});

test('an offer that changed while the one before was on its way is announced after it', () => {
  const due = withOffer(initialMemory, offer);
  const registered = afterSuccess(due, { kind: 'call', call: 'register' }, { nowMs: 0, wallMs, refreshInMs });
  const changed = withOffer(registered, moved);
  const answered = afterSuccess(
    changed,
    { kind: 'call', call: 'ready', offer },
    { nowMs: 0, wallMs, refreshInMs },
  );
  assert.deepEqual(nextStep(answered, 0), { kind: 'call', call: 'ready', offer: moved });
});

test('an offer that is taken back is withdrawn, and can be made again', () => {
  const { calls, memory } = settle(withOffer(announced, undefined), 5);
  assert.deepEqual(calls, ['withdraw']);
  assert.equal(stateOf(memory), 'withdrawn');
  assert.equal(describe(memory, url, { nowMs: 5, wallMs }).announcedAt, undefined);
  assert.deepEqual(settle(withOffer(memory, offer), 6).calls, ['ready']);
});

test('with sharing off from the start we are registered, and a broadcast left over is withdrawn', () => {
  const { calls, memory } = settle(withOffer(initialMemory, undefined), 0);
  assert.deepEqual(calls, ['register', 'withdraw']);
  assert.deepEqual(settle(memory, refreshInMs).calls, ['register', 'withdraw']);
});

test('while the relay is away the call is repeated after each backoff, and the state says when', () => {
  let memory = fail(withOffer(initialMemory, offer), away, 0, 700);
  assert.deepEqual(nextStep(memory, 0), { kind: 'wait', untilMs: 700 });
  assert.deepEqual(describe(memory, url, { nowMs: 200, wallMs }), {
    state: 'away',
    url,
    reason: 'nobody answers',
    nextTryAt: new Date(wallMs + 500).toISOString(),
  });
  memory = fail(memory, away, 700, 1500);
  assert.deepEqual(nextStep(memory, 700), { kind: 'wait', untilMs: 2200 });
  const healed = settle(memory, 2200);
  assert.deepEqual(healed.calls, ['register', 'ready']);
  assert.equal(stateOf(healed.memory), 'announced');
});

test('a failed refresh says since when it has been announced', () => {
  const memory = fail(announced, away, refreshInMs);
  const state = describe(memory, url, { nowMs: refreshInMs, wallMs });
  assert.equal(state.state, 'away');
  assert.equal(state.announcedAt, new Date(wallMs).toISOString());
});

test('what cannot heal by waiting is retried slowly, from the registration on', () => {
  const memory = fail(withOffer(initialMemory, offer), refused, 0);
  assert.equal(stateOf(memory), 'refused');
  assert.deepEqual(nextStep(memory, 0), { kind: 'wait', untilMs: refusedRetryMs });
  assert.deepEqual(settle(memory, refusedRetryMs).calls, ['register', 'ready']);
});

test('Retry-After is honoured, whatever happens meanwhile', () => {
  const limited = new RelayError('rate_limited', 'too many', { retryAfterMs: 30_000 });
  const memory = fail(announced, limited, refreshInMs, 1000);
  const untilMs = refreshInMs + 30_000;
  assert.deepEqual(nextStep(memory, refreshInMs), { kind: 'wait', untilMs });
  for (const changed of [withOffer(memory, moved), withFreshStart(memory)])
    assert.deepEqual(nextStep(changed, refreshInMs), { kind: 'wait', untilMs });
});

test('a relay that forgot us is told again who we are', () => {
  const memory = fail(announced, forgotten, refreshInMs);
  assert.deepEqual(settle(memory, refreshInMs).calls, ['register', 'ready']);
});

test('a relay that does not know us right after it registered us refuses us', () => {
  const unknown = fail(announced, forgotten, refreshInMs);
  const registered = afterSuccess(
    unknown,
    { kind: 'call', call: 'register' },
    { nowMs: 0, wallMs, refreshInMs },
  );
  const again = fail(registered, forgotten, refreshInMs);
  assert.equal(stateOf(again), 'refused');
  assert.deepEqual(nextStep(again, refreshInMs), { kind: 'wait', untilMs: refreshInMs + refusedRetryMs });
});

test('another network is a reason to try at once and to announce anew', () => {
  const waiting = fail(withOffer(initialMemory, offer), away, 0, 60_000);
  assert.deepEqual(settle(withFreshStart(waiting), 5).calls, ['register', 'ready']);
  assert.deepEqual(settle(withOffer(waiting, moved), 5).calls, ['register', 'ready']);
  assert.deepEqual(settle(withFreshStart(announced), 5).calls, ['ready']);
});

test('the failures of others are heard while we believe to be announced', () => {
  const backoffMs = () => 700;
  const gone = afterHint(announced, away, 5, backoffMs);
  assert.equal(stateOf(gone), 'away');
  assert.deepEqual(nextStep(gone, 5), { kind: 'wait', untilMs: 705 });
  assert.equal(
    afterHint(gone, away, 6, () => assert.fail('one backoff is enough')),
    gone,
  );
  assert.deepEqual(settle(afterHint(announced, forgotten, 5, backoffMs), 5).calls, ['register', 'ready']);
  assert.equal(afterHint(announced, new RelayError('not_found', 'nobody'), 5, backoffMs), announced);
});
