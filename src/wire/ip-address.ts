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
  const groups = withoutDottedTail(text);
  if (groups === undefined || groups.includes('%') || !ipaddr.IPv6.isValid(groups)) return undefined;
  const address = ipaddr.IPv6.parse(groups);
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
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
  const groups = ipaddr.IPv6.parse(canonical).parts.slice(0, 4);
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`;
}

/** The longest IPv6 literal: eight groups of four, the last two as dotted IPv4. */
const ipLiteralCharactersMax = 45;

/** Four decimal parts without leading zeros: `010.0.0.1` is 8.0.0.1 to some parsers and 10.0.0.1 to others. */
function isIpv4(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) && !/(?:^|\.)0\d/.test(text);
}

/**
 * `64:ff9b::1.2.3.4` in groups only (RFC 4291 §2.2): ipaddr.js takes octal and hexadecimal parts there, and reads
 * `::1.2.3.4` as the IPv4-mapped address. Undefined when the dotted part is no plain IPv4 address.
 */
function withoutDottedTail(text: string): string | undefined {
  if (!text.includes('.')) return text;
  const tailAt = text.lastIndexOf(':') + 1;
  const tail = text.slice(tailAt);
  if (tailAt === 0 || !isIpv4(tail)) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = tail.split('.').map(Number);
  return `${text.slice(0, tailAt)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
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
