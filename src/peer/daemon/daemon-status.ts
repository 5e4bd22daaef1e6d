import type { Identity } from '../../identity/key-store.ts';
import { safetyWords } from '../../identity/safety-words.ts';
import { programVersion } from '../../util/version.ts';
import type { RelayState, Status } from '../../wire/local-api.ts';
import type { FriendBook } from '../friends/friend-book.ts';
import type { HouseService } from './house-service.ts';

export interface StatusSources {
  readonly identity: () => Identity;
  readonly startedAtMs: number;
  readonly house: HouseService;
  readonly friends: FriendBook;
  readonly relayState: () => RelayState;
  readonly ui: () => string;
}

/** Everything that `flashback status` shows, as of now. */
export function daemonStatus(sources: StatusSources): Status {
  const { claims } = sources.identity();
  return {
    email: claims.email,
    fingerprint: claims.fingerprint,
    safetyWords: safetyWords(claims.fingerprint),
    certificateExpiresAt: new Date(claims.notAfterMs).toISOString(),
    version: programVersion(),
    pid: process.pid,
    startedAt: new Date(sources.startedAtMs).toISOString(),
    ui: sources.ui(),
    house: sources.house.status(),
    relay: sources.relayState(),
    requestsWaiting: sources.friends.requestsWaiting,
  };
}
