import { EventEmitter } from 'node:events';
import { type Clock, systemClock } from '../../util/clock.ts';
import type { Email } from '../../wire/email.ts';
import { bracketed } from '../../wire/ip-address.ts';
import type { Peer } from '../../wire/local-api.ts';
import type { AnnouncedPeer } from '../../wire/relay-http.ts';
import { relayFailure } from '../discovery/explain-failure.ts';
import type { RelayClient } from '../relay-client/relay-client.ts';
import { RelayError } from '../relay-client/relay-error.ts';
import type { KnownAddress } from '../state/known-addresses.ts';
import type { StateStore } from '../state/state-store.ts';
import type { FriendBook } from './friend-book.ts';
import { describePeer, type PeerFacts } from './peer-row.ts';
import type { CheckResult, Pinger } from './pinger.ts';

export interface PeerBoardOptions {
  readonly state: StateStore;
  readonly friends: FriendBook;
  readonly pinger: Pinger;
  readonly relay: RelayClient | undefined;
  readonly clock?: Clock;
}

export interface PeerBoardEvents {
  /** A friend's status, cause or address is another one than before. */
  peerChanged: [peer: Peer];
}

interface RelayList {
  readonly peers: ReadonlyMap<Email, AnnouncedPeer>;
  readonly askedAtMs: number;
}

/** Several windows that show the same list ask the relay once. */
const listFreshMs = 2000;

const noRelay = 'no relay is set';

/** What people are shown of each other: friends by reachability, others by announcement. */
export class PeerBoard extends EventEmitter<PeerBoardEvents> implements Disposable {
  readonly #state: StateStore;
  readonly #friends: FriendBook;
  readonly #pinger: Pinger;
  readonly #relay: RelayClient | undefined;
  readonly #clock: Clock;
  readonly #shownByEmail = new Map<Email, string>();
  readonly #onChange = (email: Email): void => this.#noteChange(email);
  readonly #onRemoved = (email: Email): void => void this.#shownByEmail.delete(email);
  #list: { readonly answer: Promise<RelayList>; readonly askedAtMs: number } | undefined;

  constructor(options: PeerBoardOptions) {
    super();
    this.#state = options.state;
    this.#friends = options.friends;
    this.#pinger = options.pinger;
    this.#relay = options.relay;
    this.#clock = options.clock ?? systemClock;
    this.#pinger.on('checked', this.#onChange);
    this.#friends.on('friendAdded', this.#onChange);
    this.#friends.on('friendChanged', this.#onChange);
    this.#friends.on('friendRemoved', this.#onRemoved);
  }

  /** Friends and announced peers, by e-mail; `relayProblem` says why only friends could be listed. */
  async list(
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<{ peers: Peer[]; relayProblem?: string }> {
    const { list, relayProblem } = await this.#askList();
    options.signal?.throwIfAborted();
    const knownByEmail = new Map(this.#state.peers.all().map((known) => [known.email, known]));
    const addressByEmail = this.#state.addresses.all();
    const emails = new Set(list?.peers.keys());
    // Whoever is neither announced nor a friend is of no interest, unless the user has to decide something.
    for (const { email, friendSinceMs, changed } of knownByEmail.values())
      if (friendSinceMs !== undefined || changed !== undefined) emails.add(email);
    const peers = [...emails].sort().map((email) =>
      describePeer({
        email,
        known: knownByEmail.get(email),
        check: this.#pinger.resultOf(email),
        announcement: announcementOf(email, list),
        lastAddress: asText(addressByEmail.get(email)),
      }),
    );
    return relayProblem === undefined ? { peers } : { peers, relayProblem };
  }

  /** Friends only, without asking anybody. */
  friends(): Peer[] {
    return this.#friends.friends().map(({ email }) => this.#friendRow(email));
  }

  /**
   * One person; undefined when neither we nor the relay know of them. With `check` their house is asked now.
   *
   * @throws {DiscoveryError} when only the relay could know them and it cannot be asked; the signal's reason.
   */
  async peer(
    email: Email,
    options: { readonly check?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Peer | undefined> {
    const { check: isChecked = false, signal } = options;
    const known = this.#state.peers.get(email);
    if (known?.friendSinceMs !== undefined) {
      const check = isChecked ? await this.#pinger.check(email, { signal }) : this.#pinger.resultOf(email);
      return this.#row(email, check, undefined);
    }
    const announcement = await this.#askOne(email, known !== undefined, signal);
    if (known === undefined && announcement?.kind !== 'announced') return undefined;
    const check = isChecked ? await this.#pinger.check(email, { signal }) : undefined;
    return this.#row(email, check, announcement);
  }

  [Symbol.dispose](): void {
    this.#pinger.off('checked', this.#onChange);
    this.#friends.off('friendAdded', this.#onChange);
    this.#friends.off('friendChanged', this.#onChange);
    this.#friends.off('friendRemoved', this.#onRemoved);
  }

  /** Read again, because a check may have changed it. */
  #row(email: Email, check: CheckResult | undefined, announcement: PeerFacts['announcement']): Peer {
    const known = this.#state.peers.get(email);
    const lastAddress = asText(this.#state.addresses.get(email));
    return describePeer({ email, known, check, announcement, lastAddress });
  }

  #friendRow(email: Email): Peer {
    return this.#row(email, this.#pinger.resultOf(email), undefined);
  }

  async #askOne(
    email: Email,
    isKnown: boolean,
    signal: AbortSignal | undefined,
  ): Promise<PeerFacts['announcement']> {
    const askedAtMs = this.#clock.nowMs();
    if (this.#relay === undefined) return { kind: 'unknown', reason: noRelay, askedAtMs };
    try {
      const { last_seen } = await this.#relay.lookup(email, { signal });
      return { kind: 'announced', lastSeen: last_seen, askedAtMs };
    } catch (error) {
      if (error instanceof RelayError && error.code === 'not_found')
        return { kind: 'not-announced', askedAtMs };
      if (!(error instanceof RelayError && isKnown)) throw relayFailure(email, error);
      return { kind: 'unknown', reason: error.message, askedAtMs };
    }
  }

  async #askList(): Promise<{ list?: RelayList; relayProblem?: string }> {
    if (this.#relay === undefined) return { relayProblem: noRelay };
    try {
      return { list: await this.#freshList(this.#relay) };
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      return { relayProblem: error.message };
    }
  }

  /** Shared by all who ask within two seconds, so nobody's signal ends it; its own deadline does. */
  #freshList(relay: RelayClient): Promise<RelayList> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#list !== undefined && nowMs - this.#list.askedAtMs < listFreshMs) return this.#list.answer;
    const answer = relay.list().then((peers) => ({
      peers: new Map(peers.map((peer) => [peer.email, peer])),
      askedAtMs: this.#clock.nowMs(),
    }));
    const list = { answer, askedAtMs: nowMs };
    this.#list = list;
    // A failure is not kept: the next who asks tries again.
    answer.catch(() => {
      if (this.#list === list) this.#list = undefined;
    });
    return answer;
  }

  #noteChange(email: Email): void {
    const peer = this.#friendRow(email);
    if (!peer.friend) return;
    const shown = JSON.stringify([peer.status, peer.code, peer.cause, peer.address, peer.fingerprint]);
    if (this.#shownByEmail.get(email) === shown) return;
    this.#shownByEmail.set(email, shown);
    this.emit('peerChanged', peer);
  }
}

function announcementOf(email: Email, list: RelayList | undefined): PeerFacts['announcement'] {
  if (list === undefined) return undefined;
  const announced = list.peers.get(email);
  const { askedAtMs } = list;
  return announced === undefined
    ? { kind: 'not-announced', askedAtMs }
    : { kind: 'announced', lastSeen: announced.last_seen, askedAtMs };
}

function asText(address: KnownAddress | undefined): string | undefined {
  return address === undefined ? undefined : `${bracketed(address.host)}:${address.port}`;
}
