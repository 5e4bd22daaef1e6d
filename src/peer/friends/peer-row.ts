/** How one person is shown: what we know of them made into the {@link Peer} of the local API. Pure. */
import { safetyWords } from '../../identity/safety-words.ts';
import type { Email } from '../../wire/email.ts';
import type { Peer } from '../../wire/local-api.ts';
import type { KnownPeer } from '../state/known-peers.ts';
import type { CheckResult } from './pinger.ts';

export interface PeerFacts {
  readonly email: Email;
  /** Undefined: never met. */
  readonly known: KnownPeer | undefined;
  /** A fresh health check; undefined while there is none. */
  readonly check: CheckResult | undefined;
  /** What the relay says of them; undefined when it does not matter. */
  readonly announcement:
    | { readonly kind: 'announced'; readonly lastSeen: string; readonly askedAtMs: number }
    | { readonly kind: 'not-announced'; readonly askedAtMs: number }
    | { readonly kind: 'unknown'; readonly reason: string; readonly askedAtMs: number }
    | undefined;
  /** Where they answered last, as in a URL. */
  readonly lastAddress: string | undefined;
}

/** Friends are shown as reachable or not, others as announced or not (mission, "Words"). */
export function describePeer(facts: PeerFacts): Peer {
  const { email, known, check, announcement, lastAddress } = facts;
  const address = check?.kind === 'online' ? check.address : lastAddress;
  return {
    email,
    friend: known?.friendSinceMs !== undefined,
    ...(address !== undefined && { address }),
    ...(known !== undefined && {
      fingerprint: known.fingerprint,
      safetyWords: safetyWords(known.fingerprint),
    }),
    ...(announcement?.kind === 'announced' && { lastSeen: announcement.lastSeen }),
    ...status(facts),
  };
}

type StatusFields = Pick<
  Peer,
  'status' | 'cause' | 'code' | 'checkedAt' | 'roundTripMs' | 'changedFingerprint' | 'changedSafetyWords'
>;

function status({ known, check, announcement }: PeerFacts): StatusFields {
  // It blocks until the user decides, or the pinned key proves itself, which clears it.
  if (known?.changed !== undefined)
    return {
      status: 'error',
      code: 'identity_changed',
      cause: 'identity changed',
      checkedAt: time(known.changed.seenAtMs),
      changedFingerprint: known.changed.fingerprint,
      changedSafetyWords: safetyWords(known.changed.fingerprint),
    };
  if (check !== undefined) return checkedStatus(check);
  if (known?.friendSinceMs !== undefined || announcement === undefined) return { status: 'checking' };
  const checkedAt = time(announcement.askedAtMs);
  if (announcement.kind === 'announced') return { status: 'online', checkedAt };
  if (announcement.kind === 'unknown')
    return { status: 'error', code: 'relay_away', cause: announcement.reason, checkedAt };
  return { status: 'offline', cause: 'is not announced at the relay now', checkedAt };
}

function checkedStatus(check: CheckResult): StatusFields {
  const checkedAt = time(check.checkedAtMs);
  switch (check.kind) {
    case 'online': {
      const { roundTripMs, cause } = check;
      return { status: 'online', checkedAt, roundTripMs, ...(cause !== undefined && { cause }) };
    }
    case 'offline':
      return { status: 'offline', checkedAt, cause: check.cause };
    default:
      return { status: 'error', checkedAt, cause: check.cause, code: check.code };
  }
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
