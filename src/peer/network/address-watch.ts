import { EventEmitter } from 'node:events';
import type { Clock } from '../../util/clock.ts';
import type { IpAddress } from '../../wire/ip-address.ts';
import type { LocalAddress, NetworkInterfaces } from './local-addresses.ts';

export interface AddressWatchOptions {
  /** The setting `houseInterface`. */
  readonly scope: 'all' | 'loopback';
  readonly intervalMs?: number;
  readonly clock?: Clock;
  readonly interfaces?: () => NetworkInterfaces;
}

export interface AddressWatchEvents {
  /** The addresses are others, or the machine slept: what was connected may be dead, what was announced may be stale. */
  addressesChanged: [change: { readonly cause: 'addresses' | 'wake' }];
}

/** Notices within seconds that the machine's addresses changed, or that it slept. Starts at once; dispose it to stop. */
export class AddressWatch extends EventEmitter<AddressWatchEvents> implements Disposable {
  constructor(_options: AddressWatchOptions) {
    super();
    throw new Error('not built yet');
  }

  /** With interface and subnet, for the dial order. */
  get local(): readonly LocalAddress[] {
    throw new Error('not built yet');
  }

  /** What to announce: at most 16, the most useful first. */
  get announced(): readonly IpAddress[] {
    throw new Error('not built yet');
  }

  [Symbol.dispose](): void {
    throw new Error('not built yet');
  }
}
