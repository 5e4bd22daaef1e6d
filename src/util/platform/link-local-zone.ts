/**
 * What follows the `%` of a link-local address, to say through which interface it is meant (RFC 4007 §11): the interface's
 * name, and on Windows, whose names hold spaces, its index.
 */
export function linkLocalZone(
  interfaceName: string,
  interfaceIndex: number,
  platform: NodeJS.Platform = process.platform,
): string {
  return platform === 'win32' ? String(interfaceIndex) : interfaceName;
}
