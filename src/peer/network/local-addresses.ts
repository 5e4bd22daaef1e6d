import type { NetworkInterfaceInfo } from 'node:os';
import type { IpAddress } from '../../wire/ip-address.ts';

/** One address of this machine. */
export interface LocalAddress {
  readonly address: IpAddress;
  readonly interfaceName: string;
  /** Bits of the subnet: 24 for `192.168.1.5/24`. */
  readonly prefixLength: number;
  /** A bridge or tunnel made by software (docker0, virbr0, ...): others seldom reach us through it. */
  readonly isVirtual: boolean;
}

/** As `os.networkInterfaces()` answers. */
export type NetworkInterfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Every address a visitor could use, the most useful first. */
export declare function localAddresses(
  interfaces: NetworkInterfaces,
  scope: 'all' | 'loopback',
): LocalAddress[];
