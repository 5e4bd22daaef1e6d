import ipaddr from 'ipaddr.js';
import {
  addressKind,
  addressKinds,
  bracketed,
  type IpAddress,
  parseIpAddress,
} from '../../wire/ip-address.ts';
import type { LocalAddress } from '../network/local-addresses.ts';

/** One place to try. */
export interface Candidate {
  /** IP literal, with `%zone` when link-local. */
  readonly host: string;
  readonly port: number;
  /** How we know it: it answered last time, the peer announced it, the relay saw the peer come from it. */
  readonly origin: 'cached' | 'announced' | 'observed';
}

export interface DialInput {
  /** What the peer announces; absent while the relay has not been asked. */
  readonly announced?: {
    readonly addresses: readonly IpAddress[];
    readonly port: number;
    readonly observed?: string;
  };
  /** Where it answered last. */
  readonly cached?: { readonly host: string; readonly port: number };
  /** This machine's own addresses. */
  readonly local: readonly LocalAddress[];
  /** Where our own house listens: that is not the peer. */
  readonly housePort?: number | undefined;
}

/** Sixteen addresses, one of them link-local through a few interfaces. More would be a port scan on somebody's behalf. */
const candidatesMax = 24;
/** Interfaces through which a link-local address is tried. */
const zonesMax = 4;

/**
 * The places to try, in order (mission C3): where the peer answered last; then by kind of address, within a kind those on a
 * network that we are on ourselves first; link-local ones once per interface of ours; what the relay observed as one more of
 * its kind. Loopback only when there is nothing else or the peer is on this machine. Never our own house.
 */
export function dialOrder(input: DialInput): Candidate[] {
  const { announced, cached, local, housePort } = input;
  const ordered: Candidate[] = [];
  if (cached !== undefined) ordered.push({ ...cached, origin: 'cached' });
  if (announced !== undefined) ordered.push(...announcedCandidates(announced, local));
  const seen = new Set<string>();
  return ordered
    .filter((candidate) => {
      const key = candidateAddress(candidate);
      if (seen.has(key) || isOwnHouse(candidate, local, housePort)) return false;
      seen.add(key);
      return true;
    })
    .slice(0, candidatesMax);
}

/** As in a URL: `192.168.1.5:4711`, `[fe80::1%eth0]:4711`. */
export function candidateAddress({ host, port }: Pick<Candidate, 'host' | 'port'>): string {
  return `${bracketed(host)}:${port}`;
}

function announcedCandidates(
  announced: NonNullable<DialInput['announced']>,
  local: readonly LocalAddress[],
): Candidate[] {
  const { addresses, port, observed } = announced;
  const observedAddress = observed === undefined ? undefined : parseIpAddress(observed);
  const entries = [
    ...addresses.map((address) => ({ address, origin: 'announced' as const })),
    ...(observedAddress === undefined ? [] : [{ address: observedAddress, origin: 'observed' as const }]),
  ].flatMap((entry) => {
    const kind = addressKind(entry.address);
    return kind === undefined ? [] : [{ ...entry, kind, rank: rankOf(entry.address, kind, local) }];
  });
  const outside = entries.filter(({ kind }) => kind !== 'loopback').sort((a, b) => a.rank - b.rank);
  const isLoopbackUseful = outside.length === 0 || isOnThisMachine(addresses, local);
  const loopback = isLoopbackUseful ? entries.filter(({ kind }) => kind === 'loopback') : [];
  return [...outside, ...loopback].flatMap(({ address, kind, origin }) =>
    kind === 'link-local-ipv6'
      ? zonesOf(local).map((zone) => ({ host: `${address}%${zone}`, port, origin }))
      : [{ host: address, port, origin }],
  );
}

/** By kind; within a kind 0 for an address on a network of ours, 1 for others, 2 for one that only this machine itself can mean. */
function rankOf(address: IpAddress, kind: LocalAddress['kind'], local: readonly LocalAddress[]): number {
  const kindRank = kind === 'loopback' ? addressKinds.length : addressKinds.indexOf(kind);
  return kindRank * 3 + nearness(address, local);
}

function nearness(address: IpAddress, local: readonly LocalAddress[]): number {
  // Every machine with Docker has 172.17.0.1: here it leads to ourselves, whoever announces it.
  if (local.some((own) => own.address === address && own.isVirtual)) return 2;
  return local.some((own) => isInSubnet(address, own)) ? 0 : 1;
}

function isInSubnet(address: IpAddress, own: LocalAddress): boolean {
  if (address.includes(':') !== own.address.includes(':')) return false;
  return ipaddr.parse(address).match(ipaddr.parse(own.address), own.prefixLength);
}

function isOnThisMachine(addresses: readonly IpAddress[], local: readonly LocalAddress[]): boolean {
  return local.some((own) => !own.isVirtual && own.kind !== 'loopback' && addresses.includes(own.address));
}

/** Interfaces with a link-local address, real ones first. */
function zonesOf(local: readonly LocalAddress[]): string[] {
  const zones = local.flatMap(({ zone, isVirtual }) => (zone === undefined ? [] : [{ zone, isVirtual }]));
  const ordered = zones.sort((a, b) => Number(a.isVirtual) - Number(b.isVirtual)).map(({ zone }) => zone);
  return [...new Set(ordered)].slice(0, zonesMax);
}

function isOwnHouse(
  { host, port }: Candidate,
  local: readonly LocalAddress[],
  housePort: number | undefined,
): boolean {
  if (port !== housePort) return false;
  const address = host.replace(/%.*$/, '');
  return addressKind(address) === 'loopback' || local.some((own) => own.address === address);
}
