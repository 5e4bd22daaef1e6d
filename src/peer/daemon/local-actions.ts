import type { Logger } from 'pino';
import type { Identity } from '../../identity/key-store.ts';
import { safetyWords } from '../../identity/safety-words.ts';
import type { FriendRequest, Peer, Status } from '../../wire/local-api.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { ActiveDownloads } from '../download/active-downloads.ts';
import { runDownload } from '../download/downloads.ts';
import type { FriendBook } from '../friends/friend-book.ts';
import type { PeerBoard } from '../friends/peer-board.ts';
import { exportArchive } from '../identity-transfer.ts';
import { ApiError } from '../local-api/api-error.ts';
import type { DaemonActions } from '../local-api/routes.ts';
import type { KnownPeer } from '../state/known-peers.ts';
import type { VisitorRequest } from '../state/visitor-requests.ts';
import { HouseClient } from '../visit/house-client.ts';
import type { HouseService } from './house-service.ts';

export interface LocalActionsOptions {
  readonly identity: () => Identity;
  readonly house: HouseService;
  readonly friends: FriendBook;
  readonly board: PeerBoard;
  readonly discovery: Discovery;
  readonly log: Logger;
  readonly status: () => Status;
  /** Says anew to the relay whether there is a house to announce. */
  readonly announce: () => void;
  /** With their keys, for the export. */
  readonly pinnedFriends: () => readonly KnownPeer[];
  readonly stop: () => void;
}

/** What the local user may have done, out of the daemon's parts. */
export function localActions(options: LocalActionsOptions): DaemonActions {
  const { house, friends, board, log } = options;
  const connect = (email: string, signal: AbortSignal): Promise<HouseClient> =>
    connectHouse(options, email, signal);
  const dependencies = { connect, active: new ActiveDownloads(), log, nowMs: Date.now };
  const peer = async (email: string, check: boolean, signal?: AbortSignal): Promise<Peer> => {
    const found = await board.peer(email, { check, ...(signal !== undefined && { signal }) });
    if (found === undefined)
      throw new ApiError(
        404,
        'not_found',
        `${email} is no friend, and the relay announces nobody by that e-mail`,
      );
    return found;
  };
  return {
    status: options.status,
    peers: (signal) => board.list({ signal }),
    peer,
    friends: () => board.friends(),
    async addFriend(email, wish, signal) {
      const { fingerprint, acceptChange } = wish;
      await friends.add(email, {
        signal,
        ...(fingerprint !== undefined && { fingerprint }),
        ...(acceptChange !== undefined && { acceptChange }),
      });
      return peer(email, true, signal);
    },
    removeFriend: (email) => friends.remove(email),
    requests: () => friends.requests().map(describeRequest),
    async acceptRequest(email) {
      friends.accept(email);
      return peer(email, false);
    },
    refuseRequest: (email) => friends.refuse(email),
    async share(isOn) {
      const status = await house.share(isOn);
      options.announce();
      return status;
    },
    async list(email, path, page, signal) {
      using client = await connect(email, signal);
      return await client.list(path, { ...page, signal });
    },
    async content(email, path, signal) {
      const client = await connect(email, signal);
      try {
        const content = await client.openContent(path, { signal });
        content.stream.once('close', () => client[Symbol.dispose]());
        return { body: content.stream, via: client.via, size: content.size };
      } catch (error) {
        client[Symbol.dispose]();
        throw error;
      }
    },
    download: (request, signal) => runDownload(request, dependencies, signal),
    exportIdentity: (passphrase) => exportArchive(options.identity(), options.pinnedFriends(), passphrase),
    stop: options.stop,
  };
}

async function connectHouse(
  { discovery, identity, house }: Pick<LocalActionsOptions, 'discovery' | 'identity' | 'house'>,
  email: string,
  signal: AbortSignal,
): Promise<HouseClient> {
  const self = identity();
  if (email === self.claims.email) {
    // One's own house, as others see it: nobody needs to be asked where it is.
    const expected = { kind: 'pinned', fingerprints: [self.claims.fingerprint] } as const;
    return new HouseClient({
      host: '127.0.0.1',
      port: house.port.port,
      expected,
      identity: self,
      via: 'direct',
    });
  }
  const { host, port, expected, firstSocket, via } = await discovery.connect(email, { signal });
  return new HouseClient({ host, port, expected, firstSocket, via, identity: self });
}

function describeRequest(request: VisitorRequest): FriendRequest {
  return {
    email: request.email,
    fingerprint: request.fingerprint,
    safetyWords: safetyWords(request.fingerprint),
    firstAt: new Date(request.firstAtMs).toISOString(),
    lastAt: new Date(request.lastAtMs).toISOString(),
    times: request.times,
    address: request.address,
  };
}
