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
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return hasLeadingZero(text) ? undefined : text;
  if (text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
}

/** The longest IPv6 literal: eight groups of four, the last two as dotted IPv4. */
const ipLiteralCharactersMax = 45;

/** `010.0.0.1` is 8.0.0.1 to some parsers and 10.0.0.1 to others. */
function hasLeadingZero(ipv4: string): boolean {
  return /(?:^|\.)0\d/.test(ipv4);
}

/** Undefined for what no peer can be reached at: unspecified, multicast, broadcast, reserved. Loopback is `other`. */
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

export const IpAddressSchema = z.string().transform((text, context): IpAddress => {
  const address = parseIpAddress(text);
  if (address !== undefined) return address;
  context.addIssue({
    code: 'custom',
    message: 'is not an IP literal (host names and zone ids are refused)',
  });
  return z.NEVER;
});
