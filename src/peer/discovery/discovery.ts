import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { CertificateClaims } from '../../identity/certificate.ts';
import type { Expected } from '../../identity/connect-pinned.ts';
import type { Fingerprint } from '../../identity/fingerprint.ts';
import type { Identity } from '../../identity/key-store.ts';
import { type Clock, systemClock } from '../../util/clock.ts';
import { linkAbort } from '../../util/deadline.ts';
import type { Email } from '../../wire/email.ts';
import type { Via } from '../../wire/local-api.ts';
import type { AnnouncedPeer } from '../../wire/relay-http.ts';
import type { LocalAddress } from '../network/local-addresses.ts';
import type { RelayClient } from '../relay-client/relay-client.ts';
import { RelayError } from '../relay-client/relay-error.ts';
import { expectedOf, type KnownPeer, matchesPin, pinOf } from '../state/known-peers.ts';
import type { StateStore } from '../state/state-store.ts';
import { type Candidate, candidateAddress, dialOrder } from './dial-order.ts';
import { type DialAttempt, type DialOutcome, DialRace, type DialWinner } from './dial-race.ts';
import { DiscoveryError } from './discovery-error.ts';
import { explainFailure, type LookupResult, relayFailure } from './explain-failure.ts';

export interface DiscoveryOptions {
  readonly state: StateStore;
  /** Undefined: no relay is set, people are found where they were last. */
  readonly relay: RelayClient | undefined;
  readonly identity: () => Identity;
  /** Of this machine now, and our house's port when it listens: an address that is our own is not dialled. */
  readonly local: () => {
    readonly addresses: readonly LocalAddress[];
    readonly housePort: number | undefined;
  };
  readonly log: Logger;
  readonly clock?: Clock;
}

/** A way to a peer that was proved to be one: everything that a PinnedClient needs. */
export interface PeerRoute {
  readonly email: Email;
  /** IP literal, with `%zone` when link-local. */
  readonly host: string;
  readonly port: number;
  /** For further connections. */
  readonly expected: Expected;
  /** The connection that won. Whoever holds the route owns it: use it or destroy it. */
  readonly firstSocket: TLSSocket;
  /** As in a URL: `192.168.1.5:4711`, `[fe80::1%eth0]:4711`. */
  readonly address: string;
  readonly via: Via;
  /** What the peer proved. */
  readonly claims: CertificateClaims;
  readonly attempts: readonly DialAttempt[];
}

/** The last address usually works, and then the relay need not be asked; when it does not, it costs the person this much. */
const lookupHeadStartMs = 250;
/** Half of what a race lasts: what the relay says late can still be tried. */
const lookupDeadlineMs = 5000;

/**
 * Finds the way to a person by e-mail (mission C3, C5, C8), and sees to it that it is that person.
 *
 * A key that is pinned is the only one that is ever accepted under its e-mail, or a renewed certificate for it. At the first
 * contact the relay's word is taken and what was proved then is pinned (design §3). Another key under the e-mail, shown by
 * a peer or told by the relay, is remembered as a change, which only the user accepts; when the pinned key proves itself
 * after all, the other one was somebody else's, and the change is forgotten.
 */
export class Discovery {
  readonly #state: StateStore;
  readonly #relay: RelayClient | undefined;
  readonly #identity: () => Identity;
  readonly #local: DiscoveryOptions['local'];
  readonly #log: Logger;
  readonly #clock: Clock;

  constructor(options: DiscoveryOptions) {
    this.#state = options.state;
    this.#relay = options.relay;
    this.#identity = options.identity;
    this.#local = options.local;
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
  }

  /** @throws {DiscoveryError}, or the signal's reason. */
  connect(email: Email, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<PeerRoute> {
    const known = this.#state.peers.get(email);
    return known === undefined
      ? this.#connectFirst(email, options.signal)
      : this.#connectKnown(known, options.signal);
  }

  async #connectKnown(known: KnownPeer, signal: AbortSignal | undefined): Promise<PeerRoute> {
    const { email } = known;
    using link = linkAbort(signal);
    const race = this.#race(email, expectedOf(known), link.signal);
    const cached = this.#state.addresses.get(email);
    if (cached !== undefined) race.add(this.#candidates({ cached }));
    const lookup = this.#lookUpInto(race, email, cached !== undefined, link.signal);
    let outcome: DialOutcome;
    try {
      outcome = await race.outcome;
    } finally {
      link.abort(new Error('the race is over'));
    }
    if (outcome.winner !== undefined) return this.#accept(email, outcome.winner, outcome.attempts);
    throw await this.#explainLoss(known, outcome.attempts, await lookup, signal);
  }

  /** Adds what the relay knows to the race, and closes it. Never rejects. */
  async #lookUpInto(
    race: DialRace,
    email: Email,
    hasHeadStart: boolean,
    signal: AbortSignal,
  ): Promise<LookupResult> {
    if (hasHeadStart) await this.#headStart(race);
    const found = await this.#lookUp(email, signal);
    if (found.kind === 'announced') race.add(this.#candidates({ peer: found.peer }));
    race.close();
    return found;
  }

  async #headStart(race: DialRace): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _timer = this.#clock.after(lookupHeadStartMs, resolve);
    await Promise.race([promise, race.stalled]);
  }

  async #lookUp(email: Email, signal: AbortSignal | undefined): Promise<LookupResult> {
    if (this.#relay === undefined) return { kind: 'no-relay' };
    try {
      const peer = await this.#relay.lookup(email, {
        deadlineMs: lookupDeadlineMs,
        signal,
      });
      return { kind: 'announced', peer };
    } catch (error) {
      if (error instanceof RelayError && error.code === 'not_found') return { kind: 'not-announced' };
      return { kind: 'failed', error };
    }
  }

  /** Somebody never met: the relay says which certificates are theirs, and what is proved is pinned. */
  async #connectFirst(email: Email, signal: AbortSignal | undefined): Promise<PeerRoute> {
    if (this.#relay === undefined)
      throw new DiscoveryError(
        'relay_away',
        `${email} was never met, and there is no relay to ask: set relayTrackerUrl`,
      );
    const options = { signal };
    const [certificates, lookup] = await Promise.all([
      this.#relay.certificates(email, options).catch((error: unknown) => {
        throw relayFailure(email, error);
      }),
      this.#lookUp(email, signal),
    ]);
    signal?.throwIfAborted();
    const expected: Expected = {
      kind: 'pinned',
      fingerprints: certificates.map(({ fingerprint }) => fingerprint),
    };
    const race = this.#race(email, expected, signal);
    if (lookup.kind === 'announced') race.add(this.#candidates({ peer: lookup.peer }));
    race.close();
    const { winner, attempts } = await race.outcome;
    if (winner !== undefined) return this.#accept(email, winner, attempts);
    const presented = presentedIn(attempts);
    if (presented === undefined) throw explainFailure(email, attempts, lookup);
    throw new DiscoveryError(
      'identity_changed',
      `Somebody answers as ${email} with the certificate ${presented}, which is not registered at the relay for that e-mail. ` +
        'Nothing was sent, nothing was pinned. Ask them over another way for their fingerprint',
      { attempts, presented },
    );
  }

  #race(email: Email, expected: Expected, signal: AbortSignal | undefined): DialRace {
    return new DialRace({ email, expected, identity: this.#identity(), signal, clock: this.#clock });
  }

  #candidates(from: {
    readonly cached?: { readonly host: string; readonly port: number };
    readonly peer?: AnnouncedPeer;
  }): Candidate[] {
    const { addresses: local, housePort } = this.#local();
    const { cached, peer } = from;
    return dialOrder({
      local,
      housePort,
      ...(cached !== undefined && { cached: { host: cached.host, port: cached.port } }),
      ...(peer !== undefined && {
        announced: { addresses: peer.addresses, port: peer.port, observed: peer.observed_address },
      }),
    });
  }

  /** Pins or confirms what the winner proved, and remembers where. */
  #accept(email: Email, winner: DialWinner, attempts: readonly DialAttempt[]): PeerRoute {
    const { socket, candidate, claims } = winner;
    const { host, port } = candidate;
    const nowMs = this.#clock.nowMs();
    const pinned = this.#state.transaction(() => {
      // Read again: while we dialled, the user may have decided, or another visit may have pinned.
      const known = this.#state.peers.get(email);
      if (known !== undefined && !matchesPin(known, claims)) return undefined;
      if (known === undefined) this.#state.peers.pin(email, pinOf(claims), 'relay', nowMs);
      else this.#state.peers.confirm(email, claims, nowMs);
      this.#state.addresses.put(email, host, port, nowMs);
      return pinOf(claims);
    });
    if (pinned === undefined) {
      socket.destroy();
      throw identityChanged(email, claims.fingerprint, attempts);
    }
    const address = candidateAddress(candidate);
    this.#log.debug({ peer: email, address, origin: candidate.origin }, 'peer reached');
    return {
      email,
      host,
      port,
      expected: expectedOf(pinned),
      firstSocket: socket,
      address,
      via: 'direct',
      claims,
      attempts,
    };
  }

  async #explainLoss(
    known: KnownPeer,
    attempts: readonly DialAttempt[],
    lookup: LookupResult,
    signal: AbortSignal | undefined,
  ): Promise<DiscoveryError> {
    const presented = presentedIn(attempts) ?? (await this.#otherKeyAtRelay(known, lookup, signal));
    if (presented === undefined) return explainFailure(known.email, attempts, lookup);
    if (known.changed?.fingerprint !== presented)
      this.#log.warn({ peer: known.email, pinned: known.fingerprint, presented }, 'identity changed');
    this.#state.peers.markChanged(known.email, presented, this.#clock.nowMs());
    return identityChanged(known.email, presented, attempts);
  }

  /**
   * What the relay has for a peer whom it announces and who does not answer with the pinned key, when that is other keys
   * only. Asked for nobody else: somebody who is away has changed nothing that matters yet.
   */
  async #otherKeyAtRelay(
    known: KnownPeer,
    lookup: LookupResult,
    signal: AbortSignal | undefined,
  ): Promise<Fingerprint | undefined> {
    if (this.#relay === undefined || lookup.kind !== 'announced') return undefined;
    try {
      const certificates = await this.#relay.certificates(known.email, { signal });
      if (certificates.some((claims) => matchesPin(known, claims))) return undefined;
      return certificates[0]?.fingerprint;
    } catch (error) {
      if (error instanceof RelayError) return undefined;
      throw error;
    }
  }
}

function presentedIn(attempts: readonly DialAttempt[]): Fingerprint | undefined {
  return attempts.find(({ outcome }) => outcome === 'identity_changed')?.presented;
}

function identityChanged(
  email: Email,
  presented: Fingerprint,
  attempts: readonly DialAttempt[],
): DiscoveryError {
  return new DiscoveryError(
    'identity_changed',
    `The identity of ${email} has changed: instead of the pinned certificate there is ${presented}. ` +
      'Nothing was sent to it. Ask them over another way for their fingerprint; if it is this one, accept the change',
    { attempts, presented },
  );
}
