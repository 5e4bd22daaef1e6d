import { join } from 'node:path';
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { Identity } from '../../identity/key-store.ts';
import type { HouseStateSchema } from '../../wire/local-api.ts';
import type { Settings } from '../../wire/settings.ts';
import { Admission } from '../admission/admission.ts';
import { Registrations } from '../admission/registrations.ts';
import type { FriendBook } from '../friends/friend-book.ts';
import { createHouse, type House } from '../house/create-house.ts';
import type { AddressWatch } from '../network/address-watch.ts';
import { HousePort } from '../port/house-port.ts';
import { parsePortRange } from '../port/port-range.ts';
import type { RelayClient } from '../relay-client/relay-client.ts';
import { RelayError } from '../relay-client/relay-error.ts';
import type { StateStore } from '../state/state-store.ts';
import { frontDoor } from './front-door.ts';
import { type HouseMemory, readHouseMemory, writeHouseMemory } from './house-memory.ts';

export interface HouseServiceOptions {
  readonly settings: Settings;
  readonly dataFolder: string;
  readonly identity: Identity;
  readonly state: StateStore;
  readonly friends: FriendBook;
  readonly relay: RelayClient | undefined;
  readonly addresses: AddressWatch;
  readonly log: Logger;
}

type HouseStatus = z.output<typeof HouseStateSchema>;

/** The house as it runs: folder, port and policy together, and whether it is shared. */
export class HouseService implements AsyncDisposable {
  readonly port: HousePort;
  readonly #options: HouseServiceOptions;
  readonly #house: House;
  #memory: HouseMemory;

  private constructor(options: HouseServiceOptions, house: House, port: HousePort, memory: HouseMemory) {
    this.#options = options;
    this.#house = house;
    this.port = port;
    this.#memory = memory;
  }

  /** @throws when no port is free. A folder that is missing is no error: it is away. */
  static async open(options: HouseServiceOptions): Promise<HouseService> {
    const { settings, dataFolder, log } = options;
    const folder = settings.fileRootDirectory;
    const memory = await readHouseMemory(dataFolder, folder ?? '');
    const house = await createHouse(
      {
        root: folder ?? join(dataFolder, 'no-folder-is-shared'),
        allowPrograms: settings.allowPrograms,
        showHidden: settings.showHidden,
        neverServed: [dataFolder],
        ...(memory.marker !== undefined && { marker: memory.marker }),
      },
      log,
    );
    await using cleanup = new AsyncDisposableStack();
    cleanup.use(house);
    if (folder === undefined || !memory.isSharing) await house.switchSharing(false);
    const port = await HousePort.open({
      identity: options.identity,
      ports: parsePortRange(settings.housePort, memory.port),
      interface: settings.houseInterface,
      onRequest: frontDoor(createAdmission(options), house, log),
      log,
    });
    cleanup.move();
    const service = new HouseService(options, house, port, memory);
    await service.#remember();
    return service;
  }

  /** False while nothing is to be announced: the owner switched sharing off. */
  get isSharing(): boolean {
    return this.#house.state().kind !== 'off';
  }

  status(): HouseStatus {
    const { settings, addresses } = this.#options;
    const state = this.#house.state();
    return {
      state: state.kind,
      ...(state.kind === 'away' && { reason: state.reason }),
      ...(settings.fileRootDirectory === undefined && {
        reason: 'no folder is set: flashback config set fileRootDirectory <folder>',
      }),
      folder: settings.fileRootDirectory ?? '',
      port: this.port.port,
      addresses: [...addresses.announced],
      policy: typeof settings.policy === 'string' ? settings.policy : settings.policy.join(', '),
    };
  }

  async share(isOn: boolean): Promise<HouseStatus> {
    await this.#house.switchSharing(isOn && this.#options.settings.fileRootDirectory !== undefined);
    this.#memory = { ...this.#memory, isSharing: isOn };
    await this.#remember();
    return this.status();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.port[Symbol.asyncDispose]();
    await this.#house[Symbol.asyncDispose]();
  }

  async #remember(): Promise<void> {
    const state = this.#house.state();
    const marker = state.kind === 'shared' ? state.marker : this.#memory.marker;
    this.#memory = { ...this.#memory, port: this.port.port, ...(marker !== undefined && { marker }) };
    await writeHouseMemory(this.#options.dataFolder, this.#memory);
  }
}

function createAdmission(options: HouseServiceOptions): Admission {
  const { settings, friends, relay, state, log } = options;
  return new Admission({
    ownPublicKeyHash: options.identity.claims.publicKeyHash,
    policy: () => settings.policy,
    isFriend: (claims) => friends.recognise(claims),
    isFriendsEmail: (email) => state.peers.get(email)?.friendSinceMs !== undefined,
    registrations: new Registrations({ fingerprintsOf: (email) => fingerprintsOf(relay, email) }),
    onKnock: (claims, address) => friends.recordRequest(claims, address),
    onChangedIdentity: (claims, address) => {
      log.warn(
        { email: claims.email, fingerprint: claims.fingerprint, address },
        'a friend’s identity changed',
      );
      state.peers.markChanged(claims.email, claims.fingerprint, Date.now());
    },
  });
}

/** @throws when the relay cannot be asked, or none is set. */
async function fingerprintsOf(relay: RelayClient | undefined, email: string): Promise<string[]> {
  if (relay === undefined) throw new Error('no relay is set');
  try {
    return (await relay.certificates(email)).map(({ fingerprint }) => fingerprint);
  } catch (error) {
    if (error instanceof RelayError && error.code === 'not_found') return [];
    throw error;
  }
}
