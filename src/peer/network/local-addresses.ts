import type { NetworkInterfaceInfo } from 'node:os';
import { linkLocalZone } from '../../util/platform/link-local-zone.ts';
import { addressKind, addressKinds, type IpAddress, parseIpAddress } from '../../wire/ip-address.ts';
import { broadcastAddressesMax } from '../../wire/relay-http.ts';

/** One address of this machine. */
export interface LocalAddress {
  readonly address: IpAddress;
  readonly kind: NonNullable<ReturnType<typeof addressKind>>;
  readonly interfaceName: string;
  /** Bits of the subnet: 24 for `192.168.1.5/24`. */
  readonly prefixLength: number;
  /** For a link-local IPv6 address: what follows the `%` when somebody is called through this interface. */
  readonly zone?: string;
  /** A bridge made by software (docker0, virbr0, ...): only this machine's own guests are behind it. */
  readonly isVirtual: boolean;
}

/** As `os.networkInterfaces()` answers. */
export type NetworkInterfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * Bridges to containers and virtual machines by their makers' names (Docker, Podman, libvirt, LXC/LXD, Kubernetes, VMware,
 * VirtualBox, Hyper-V), and Apple's AWDL, which carries AirDrop only. Tunnels (tun, wg, tailscale, zt) are not among
 * them: a friend may well be at their other end.
 */
const virtualInterface =
  /^(?:docker|br-[0-9a-f]{12}|veth[0-9a-f]{7}|virbr|lxcbr|lxdbr|podman|cni|flannel|cali|vmnet|vboxnet|vEthernet|bridge1\d\d|awdl|llw)/i;

/**
 * Every address that a visitor could use, the most useful first: what a real interface has before what a virtual bridge
 * has, then in the order in which visitors try them (mission C3). Loopback is there only when nothing else is, or when
 * the house listens there alone.
 */
export function localAddresses(interfaces: NetworkInterfaces, scope: 'all' | 'loopback'): LocalAddress[] {
  const found = Object.entries(interfaces).flatMap(([name, infos]) =>
    (infos ?? []).flatMap((info) => read(name, info)),
  );
  const outside = scope === 'loopback' ? [] : found.filter(({ kind }) => kind !== 'loopback');
  const used = outside.length > 0 ? outside : found.filter(({ kind }) => kind === 'loopback');
  return used.sort(byUsefulness);
}

/**
 * What to announce: each address once, at most {@link broadcastAddressesMax}. When there are more, no kind crowds out the
 * others: a machine with thirty link-local addresses still announces its public one.
 */
export function announcedAddresses(local: readonly LocalAddress[]): IpAddress[] {
  const unique = [...new Map(local.map((entry) => [entry.address, entry])).values()];
  const countByKind = new Map<string, number>();
  const isInShare = unique.map(({ kind }) => {
    const count = (countByKind.get(kind) ?? 0) + 1;
    countByKind.set(kind, count);
    return count <= shareOfEachKind;
  });
  const shared = unique.filter((_, index) => isInShare[index]);
  const rest = unique.filter((_, index) => !isInShare[index]);
  const chosen = new Set([...shared, ...rest].slice(0, broadcastAddressesMax));
  return unique.filter((entry) => chosen.has(entry)).map(({ address }) => address);
}

/** Six kinds share sixteen places; more of a kind only where others leave room. */
const shareOfEachKind = 2;

function read(interfaceName: string, info: NetworkInterfaceInfo): LocalAddress[] {
  // Some platforms write the zone into the address.
  const address = parseIpAddress(info.address.replace(/%.*$/, ''));
  const kind = address === undefined ? undefined : addressKind(address);
  if (address === undefined || kind === undefined) return [];
  const prefixLength = Number(info.cidr?.split('/')[1] ?? (address.includes(':') ? 128 : 32));
  return [
    {
      address,
      kind,
      interfaceName,
      prefixLength,
      isVirtual: virtualInterface.test(interfaceName),
      ...(kind === 'link-local-ipv6' && {
        zone: linkLocalZone(interfaceName, info.family === 'IPv6' ? info.scopeid : 0),
      }),
    },
  ];
}

function byUsefulness(a: LocalAddress, b: LocalAddress): number {
  return Number(a.isVirtual) - Number(b.isVirtual) || kindRank(a.kind) - kindRank(b.kind);
}

function kindRank(kind: LocalAddress['kind']): number {
  return kind === 'loopback' ? addressKinds.length : addressKinds.indexOf(kind);
}
