import { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import type { Clock } from '../../util/clock.ts';
import type { RelayState } from '../../wire/local-api.ts';
import type { ReadyRequest } from '../../wire/relay-http.ts';
import type { RelayClient } from './relay-client.ts';

export interface AnnouncerOptions {
  readonly relay: RelayClient;
  /** The setting `broadcastRefreshSeconds`. */
  readonly refreshSeconds: number;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface AnnouncerEvents {
  stateChanged: [state: RelayState];
}

/**
 * Keeps us announced: register, ready, refresh, and again after every failure. Starts at the first call of {@link offer}.
 * Disposal withdraws the broadcast, within two seconds.
 */
export class Announcer extends EventEmitter<AnnouncerEvents> implements AsyncDisposable {
  constructor(_options: AnnouncerOptions) {
    super();
    throw new Error('not built yet');
  }

  get state(): RelayState {
    throw new Error('not built yet');
  }

  /** What to announce from now on; undefined withdraws it (sharing is off). The same again changes nothing. */
  offer(_request: ReadyRequest | undefined): void {
    throw new Error('not built yet');
  }

  /** Tries at once and announces anew, whatever is waiting: after a sleep or a network change. */
  refreshNow(): void {
    throw new Error('not built yet');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    throw new Error('not built yet');
  }
}
