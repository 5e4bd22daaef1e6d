import { EventEmitter } from 'node:events';
import { networkInterfaces } from 'node:os';
import { type Clock, systemClock } from '../../util/clock.ts';
import type { IpAddress } from '../../wire/ip-address.ts';
import {
  announcedAddresses,
  type LocalAddress,
  localAddresses,
  type NetworkInterfaces,
} from './local-addresses.ts';

export interface AddressWatchOptions {
  /** The setting `houseInterface`. */
  readonly scope: 'all' | 'loopback';
  readonly clock?: Clock;
  readonly interfaces?: () => NetworkInterfaces;
}

export interface AddressWatchEvents {
  /**
   * The machine has other addresses, or it slept (`wake`): what is connected may be dead without saying so, what was
   * announced may have expired.
   */
  addressesChanged: [change: { readonly cause: 'addresses' | 'wake' }];
}

/** A new address is at the relay within ten seconds, its handshake included. Reading the interfaces takes 0.1 ms. */
const pollIntervalMs = 2000;
/** A busy machine runs timers seconds late; a lid that was closed makes it minutes. */
const sleepGapMs = 10_000;

/** Notices within seconds that the machine's addresses changed, or that it slept. Starts at once; dispose it to stop. */
export class AddressWatch extends EventEmitter<AddressWatchEvents> implements Disposable {
  readonly #scope: 'all' | 'loopback';
  readonly #clock: Clock;
  readonly #interfaces: () => NetworkInterfaces;
  #local: readonly LocalAddress[];
  #announced: readonly IpAddress[];
  #key: string;
  #polledAtMs: number;
  #timer: Disposable;

  constructor(options: AddressWatchOptions) {
    super();
    this.#scope = options.scope;
    this.#clock = options.clock ?? systemClock;
    this.#interfaces = options.interfaces ?? networkInterfaces;
    this.#local = this.#read();
    this.#announced = announcedAddresses(this.#local);
    this.#key = keyOf(this.#local);
    this.#polledAtMs = this.#clock.nowMs();
    this.#timer = this.#clock.after(pollIntervalMs, () => this.#poll());
  }

  /** With interface and subnet, for the dial order. */
  get local(): readonly LocalAddress[] {
    return this.#local;
  }

  /** What to announce: at most 16, the most useful first. */
  get announced(): readonly IpAddress[] {
    return this.#announced;
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #poll(): void {
    const nowMs = this.#clock.nowMs();
    // Timers stand still during sleep, the wall clock does not.
    const hasSlept = Math.abs(nowMs - this.#polledAtMs - pollIntervalMs) > sleepGapMs;
    this.#polledAtMs = nowMs;
    const local = this.#read();
    const key = keyOf(local);
    const isChanged = key !== this.#key;
    if (isChanged) {
      this.#local = local;
      this.#announced = announcedAddresses(local);
      this.#key = key;
    }
    this.#timer = this.#clock.after(pollIntervalMs, () => this.#poll());
    if (hasSlept) this.emit('addressesChanged', { cause: 'wake' });
    else if (isChanged) this.emit('addressesChanged', { cause: 'addresses' });
  }

  #read(): LocalAddress[] {
    return localAddresses(this.#interfaces(), this.#scope);
  }
}

function keyOf(local: readonly LocalAddress[]): string {
  return local
    .map(({ address, interfaceName, prefixLength }) => `${address}/${prefixLength}%${interfaceName}`)
    .sort()
    .join(' ');
}
