import { printable } from '../../util/printable.ts';
import type { Email } from '../../wire/email.ts';
import type { AnnouncedPeer } from '../../wire/relay-http.ts';
import { RelayError } from '../relay-client/relay-error.ts';
import type { DialAttempt } from './dial-race.ts';
import { DiscoveryError } from './discovery-error.ts';

/** What asking the relay where somebody is came to. */
export type LookupResult =
  | { readonly kind: 'announced'; readonly peer: AnnouncedPeer }
  | { readonly kind: 'not-announced' }
  /** A RelayError, or why it was called off. */
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'no-relay' };

/** Attempts told in one sentence; `why` shows all of them. */
const attemptsToldMax = 3;

/** Why nobody was reached, for a person: pure. */
export function explainFailure(
  email: Email,
  attempts: readonly DialAttempt[],
  lookup: LookupResult,
): DiscoveryError {
  const told = describeAttempts(attempts);
  switch (lookup.kind) {
    case 'announced':
      return new DiscoveryError(
        'unreachable',
        attempts.length === 0
          ? `${email} announces no address that can be reached from here`
          : `${email} is announced, and none of its addresses answers: ${told}`,
        { attempts },
      );
    case 'not-announced':
      return new DiscoveryError(
        'unreachable',
        attempts.length === 0
          ? `${email} is not announced at the relay now`
          : `${email} is not announced at the relay now, and does not answer where it was last: ${told}`,
        { attempts },
      );
    case 'failed': {
      const relay =
        lookup.error instanceof RelayError
          ? relayFailure(email, lookup.error)
          : new DiscoveryError('relay_away', `The relay did not say in time where ${email} is`);
      if (attempts.length === 0) return relay;
      return new DiscoveryError(
        'unreachable',
        `${email} does not answer where it was last: ${told}. There may be a newer address, but: ${relay.message}`,
        { attempts, cause: lookup.error },
      );
    }
    default:
      return new DiscoveryError(
        'unreachable',
        attempts.length === 0
          ? `No address of ${email} is known, and no relay is set to ask for one`
          : `${email} does not answer where it was last: ${told}`,
        { attempts },
      );
  }
}

/** A failed call to the relay, about this person. Anything but a RelayError is thrown on. */
export function relayFailure(email: Email, error: unknown): DiscoveryError {
  if (!(error instanceof RelayError)) throw error;
  if (error.code === 'not_found')
    return new DiscoveryError('not_found', `Nobody is registered at the relay as ${printable(email)}`, {
      cause: error,
    });
  return new DiscoveryError(awayCodes.has(error.code) ? 'relay_away' : 'failed', error.message, {
    cause: error,
  });
}

/** What passes by itself, or concerns the way to the relay and not what was asked. `unregistered` is the first second of a daemon. */
const awayCodes: ReadonlySet<RelayError['code']> = new Set([
  'unreachable',
  'rate_limited',
  'unregistered',
  'identity_mismatch',
]);

function describeAttempts(attempts: readonly DialAttempt[]): string {
  const told = attempts.slice(0, attemptsToldMax).map(({ address, detail }) => `${address} (${detail})`);
  const more = attempts.length - told.length;
  return more > 0 ? `${told.join(', ')} and ${more} more` : told.join(', ');
}
