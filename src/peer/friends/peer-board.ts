import { EventEmitter } from 'node:events';
import type { Clock } from '../../util/clock.ts';
import type { Email } from '../../wire/email.ts';
import type { Peer } from '../../wire/local-api.ts';
import type { RelayClient } from '../relay-client/relay-client.ts';
import type { StateStore } from '../state/state-store.ts';
import type { FriendBook } from './friend-book.ts';
import type { Pinger } from './pinger.ts';

export interface PeerBoardOptions {
  readonly state: StateStore;
  readonly friends: FriendBook;
  readonly pinger: Pinger;
  readonly relay: RelayClient | undefined;
  readonly clock?: Clock;
}

export interface PeerBoardEvents {
  peerChanged: [peer: Peer];
}

/** What people are shown of each other: friends by reachability, others by announcement. */
export class PeerBoard extends EventEmitter<PeerBoardEvents> implements Disposable {
  constructor(_options: PeerBoardOptions) {
    super();
    throw new Error('not built yet');
  }

  /** Friends and announced peers, by e-mail; `relayProblem` when only friends could be listed. */
  list(_options?: { readonly signal?: AbortSignal }): Promise<{ peers: Peer[]; relayProblem?: string }> {
    throw new Error('not built yet');
  }

  /** Friends only, without asking anybody. */
  friends(): Peer[] {
    throw new Error('not built yet');
  }

  /** One person; undefined when neither we nor the relay know of them. With `check` their house is asked now. */
  peer(
    _email: Email,
    _options?: { readonly check?: boolean; readonly signal?: AbortSignal },
  ): Promise<Peer | undefined> {
    throw new Error('not built yet');
  }

  [Symbol.dispose](): void {
    throw new Error('not built yet');
  }
}
