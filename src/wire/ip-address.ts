import ipaddr from 'ipaddr.js';
import { z } from 'zod';

/**
 * What kind of network an address belongs to, in the order in which a visitor tries them (mission C3):
 * nearest first, and what most often works first among equals.
 */
export const addressKinds = [
  'private-ipv4',
  'unique-local-ipv6',
  'link-local-ipv6',
  'other-ipv4',
  'public-ipv6',
  'public-ipv4',
] as const;

export type AddressKind = (typeof addressKinds)[number];

/** An IP address as text, IPv6 in the short form of RFC 5952, without zone and brackets. */
export type IpAddress = string;

/**
 * The canonical form of an IP literal; undefined when `text` is not one. Host names, zone ids, brackets, ports
 * and the short IPv4 forms (`127.1`, `0x7f.0.0.1`, octal) are not. An IPv4-mapped IPv6 address becomes IPv4.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (text.length > ipLiteralCharactersMax) return undefined;
  if (isIpv4(text)) return text;
  const groups = parseIpv6Groups(text);
  return groups === undefined ? undefined : formatIpv6(groups);
}

/**
 * The network that an address is counted by, where something is limited by address: an IPv4 address itself, of IPv6 the
 * /64, the smallest network that one customer is given (RFC 6177).
 *
 * @param address as a socket tells it; what is no IP literal is its own network.
 */
export function networkOf(address: string): string {
  const canonical = parseIpAddress(address.replace(/%.*$/, ''));
  if (canonical === undefined) return address;
  if (!canonical.includes(':')) return canonical;
  const groups = parseIpv6Groups(canonical)?.slice(0, 4) ?? [];
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`;
}

/** The longest IPv6 literal: eight groups of four, the last two as dotted IPv4. */
const ipLiteralCharactersMax = 45;

/** Four decimal parts without leading zeros: `010.0.0.1` is 8.0.0.1 to some parsers and 10.0.0.1 to others. */
const ipv4Pattern = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const ipv6GroupPattern = /^[0-9a-fA-F]{1,4}$/;
const ipv6GroupCount = 8;

function isIpv4(text: string): boolean {
  return ipv4Pattern.test(text);
}

/**
 * The eight groups of an IPv6 literal (RFC 4291 §2.2), the last two of which may be written as IPv4.
 *
 * By hand, because it runs for each address of each `ready`: ipaddr.js takes 12 µs for one literal, three times what the
 * rest of the request takes to be parsed, and accepts octal and hexadecimal parts in a dotted end.
 */
function parseIpv6Groups(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => parseGroups(half, index === halves.length - 1));
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === ipv6GroupCount ? head : undefined;
  if (tail === undefined) return undefined;
  const zeros = ipv6GroupCount - head.length - tail.length;
  // `::` stands for at least one group.
  return zeros < 1 ? undefined : [...head, ...Array<number>(zeros).fill(0), ...tail];
}

/** @param isLast the dotted form may stand at the end only. */
function parseGroups(half: string, isLast: boolean): number[] | undefined {
  if (half === '') return [];
  const parts = half.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (ipv6GroupPattern.test(part)) groups.push(Number.parseInt(part, 16));
    else if (isLast && index === parts.length - 1 && isIpv4(part)) {
      const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
      groups.push(a * 256 + b, c * 256 + d);
    } else return undefined;
  }
  return groups;
}

/** RFC 5952 §4: no leading zeros, lower case, the longest run of two or more zero groups (the first of equals) as `::`. */
function formatIpv6(groups: readonly number[]): IpAddress {
  const [, , , , , mark = 0, high = 0, low = 0] = groups;
  if (mark === 0xffff && groups.slice(0, 5).every((group) => group === 0))
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  const run = longestZeroRun(groups);
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return run.length < 2
    ? hex(groups)
    : `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start += 1) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > longest.length) longest = { start, length };
    start += length;
  }
  return longest;
}

/** Undefined for what no peer can be reached at: unspecified, multicast, broadcast. */
export function addressKind(address: IpAddress): AddressKind | 'loopback' | undefined {
  if (address.includes(':')) {
    switch (ipaddr.IPv6.parse(address).range()) {
      case 'loopback':
        return 'loopback';
      case 'uniqueLocal':
        return 'unique-local-ipv6';
      case 'linkLocal':
        return 'link-local-ipv6';
      case 'unspecified':
      case 'multicast':
        return undefined;
      default:
        return 'public-ipv6';
    }
  }
  switch (ipaddr.IPv4.parse(address).range()) {
    case 'loopback':
      return 'loopback';
    case 'private':
      return 'private-ipv4';
    case 'linkLocal':
    case 'carrierGradeNat':
    case 'reserved':
      return 'other-ipv4';
    case 'unspecified':
    case 'multicast':
    case 'broadcast':
      return undefined;
    default:
      return 'public-ipv4';
  }
}

/** `address` as it stands in a URL or before `:port`. */
export function bracketed(address: IpAddress): string {
  return address.includes(':') ? `[${address}]` : address;
}

const notAnIpLiteral = 'is not an IP literal (host names and zone ids are refused)';

export const IpAddressSchema = z.string({ error: notAnIpLiteral }).transform((text, context): IpAddress => {
  const address = parseIpAddress(text);
  if (address !== undefined) return address;
  context.addIssue({ code: 'custom', message: notAnIpLiteral });
  return z.NEVER;
});
