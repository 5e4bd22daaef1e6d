import pino, { type Logger } from 'pino';
import { type Identity, loadIdentity } from '../identity/key-store.ts';
import { makePrivateFolder } from '../util/atomic-file.ts';
import type { DataFolders } from '../util/platform/data-folder.ts';
import type { RelayState, Status } from '../wire/local-api.ts';
import { broadcastFriendsMax, type ReadyRequest } from '../wire/relay-http.ts';
import { parseRelayUrl } from '../wire/relay-url.ts';
import type { Settings } from '../wire/settings.ts';
import { daemonStatus } from './daemon/daemon-status.ts';
import { HouseService } from './daemon/house-service.ts';
import { localActions } from './daemon/local-actions.ts';
import { Discovery } from './discovery/discovery.ts';
import { FriendBook } from './friends/friend-book.ts';
import { PeerBoard } from './friends/peer-board.ts';
import { Pinger } from './friends/pinger.ts';
import { LocalApi } from './local-api/local-api.ts';
import { registerLocalRoutes } from './local-api/routes.ts';
import { AddressWatch } from './network/address-watch.ts';
import { Announcer } from './relay-client/announcer.ts';
import { IdentityRenewal } from './relay-client/identity-renewal.ts';
import { RelayClient } from './relay-client/relay-client.ts';
import { StateStore } from './state/state-store.ts';

export interface RunDaemonOptions {
  readonly settings: Settings;
  readonly folders: DataFolders;
  /** Holds `client.key` and `client.crt`. */
  readonly identityFolder: string;
  readonly log?: Logger;
}

/** What `flashback up --json` prints first. */
export interface DaemonReady {
  readonly email: string;
  /** Of the house. */
  readonly port: number;
  readonly addresses: readonly string[];
  readonly house: Status['house'];
  /** Opens the local app, once. */
  readonly ui: string;
}

export interface RunningDaemon extends AsyncDisposable {
  readonly ready: DaemonReady;
  /** Resolves when the local user asked for a stop (`flashback stop`). */
  readonly stopRequested: Promise<void>;
  relayState(): RelayState;
  onRelayState(listener: (state: RelayState) => void): void;
  /** Somebody knocked who had not before. */
  onRequest(listener: (request: { email: string; address: string }) => void): void;
}

/**
 * The start-up sequence (mission C2): identity, state, house, addresses, announcement, friends, local API. Resolves
 * when the house answers, whether or not the relay is there. Disposal withdraws the broadcast and closes everything.
 */
export async function runDaemon(options: RunDaemonOptions): Promise<RunningDaemon> {
  const { settings, folders } = options;
  const log = options.log ?? pino({ level: 'silent' });
  const startedAtMs = Date.now();
  await makePrivateFolder(folders.data);
  await using cleanup = new AsyncDisposableStack();
  const loaded = await loadIdentity(options.identityFolder);
  const state = cleanup.use(StateStore.open(folders.data));
  const relay = openRelay(settings, loaded);
  if (relay !== undefined) cleanup.use(relay);
  const renewal = cleanup.use(
    new IdentityRenewal({ identity: loaded, folder: options.identityFolder, relay, log }),
  );
  const identity = (): Identity => renewal.current;
  const addresses = cleanup.use(new AddressWatch({ scope: settings.houseInterface }));
  const friends = new FriendBook({ ownEmail: loaded.claims.email, state, relay });
  const house = cleanup.use(
    await HouseService.open({
      settings,
      dataFolder: folders.data,
      identity: identity(),
      state,
      friends,
      relay,
      addresses,
      log,
    }),
  );
  renewal.on('identityRenewed', (renewed) => house.port.renewIdentity(renewed));

  const discovery = new Discovery({
    state,
    relay,
    identity,
    local: () => ({ addresses: addresses.local, housePort: house.port.port }),
    log,
  });
  const pinger = cleanup.use(
    new Pinger({ friends, discovery, identity, pingSeconds: settings.friendPingSeconds, log }),
  );
  const board = cleanup.use(new PeerBoard({ state, friends, pinger, relay }));

  const announcer =
    relay === undefined
      ? undefined
      : cleanup.use(new Announcer({ relay, refreshSeconds: settings.broadcastRefreshSeconds, log }));
  const announce = (): void =>
    announcer?.offer(house.isSharing ? announcement(settings, house, addresses, friends) : undefined);
  addresses.on('addressesChanged', () => {
    announce();
    // The same addresses after a sleep: the broadcast may have expired, and connections be dead without saying so.
    announcer?.refreshNow();
    pinger.networkChanged();
  });
  announcer?.on('stateChanged', ({ state: reached }) => {
    if (reached === 'announced' || reached === 'withdrawn') pinger.relayReturned();
  });
  for (const event of ['friendAdded', 'friendRemoved'] as const) friends.on(event, announce);
  announce();

  const relayState = (): RelayState => announcer?.state ?? { state: 'none', url: '' };
  const { promise: stopRequested, resolve: requestStop } = Promise.withResolvers<void>();
  const api: LocalApi = cleanup.use(
    await LocalApi.open({
      port: settings.localApiPort,
      dataFolder: folders.data,
      log,
      registerRoutes: (app, guard) => {
        const actions = localActions({
          identity,
          house,
          friends,
          board,
          discovery,
          log,
          status: () =>
            daemonStatus({ identity, startedAtMs, house, friends, relayState, ui: () => api.oneTimeLink() }),
          announce,
          pinnedFriends: () => state.peers.friends(),
          stop: requestStop,
        });
        registerLocalRoutes(app, guard, actions);
      },
    }),
  );

  const owned = cleanup.move();
  return {
    ready: {
      email: loaded.claims.email,
      port: house.port.port,
      addresses: addresses.announced,
      house: house.status(),
      ui: api.oneTimeLink(),
    },
    stopRequested,
    relayState,
    onRelayState: (listener) => announcer?.on('stateChanged', listener),
    onRequest: (listener) => friends.on('requestArrived', listener),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function announcement(
  { announce }: Settings,
  house: HouseService,
  addresses: AddressWatch,
  friends: FriendBook,
): ReadyRequest {
  const base = { port: house.port.port, addresses: [...addresses.announced], announce };
  if (announce !== 'friends') return base;
  // More than the relay takes: the oldest friends see us, the others still find us at the address they know.
  const emails = friends.friends().toSorted((a, b) => (a.friendSinceMs ?? 0) - (b.friendSinceMs ?? 0));
  return { ...base, friends: emails.slice(0, broadcastFriendsMax).map(({ email }) => email) };
}

function openRelay(settings: Settings, identity: Identity): RelayClient | undefined {
  if (settings.relayTrackerUrl === undefined) return undefined;
  return new RelayClient({ url: parseRelayUrl(settings.relayTrackerUrl), identity });
}
