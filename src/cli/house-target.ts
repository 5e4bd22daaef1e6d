import { type Email, parseEmail } from '../wire/email.ts';
import { usageError } from './command-error.ts';

/** A place in somebody's house. */
export interface HouseTarget {
  readonly peer: Email;
  /** Decoded, `/` between segments, none at the ends; empty for the house itself. */
  readonly path: string;
}

/**
 * Reads `anna@example.com:/photos/2024` or `anna@example.com:photos`. The first colon separates: an e-mail has none, and a
 * path may hold more. Slashes at the ends and doubled ones say nothing, as in a shell.
 *
 * @throws {CommandError} `usage`
 */
export function parseHouseTarget(text: string): HouseTarget {
  const colon = text.indexOf(':');
  const email = colon === -1 ? text : text.slice(0, colon);
  const parsed = parseEmail(email);
  if ('problem' in parsed)
    throw usageError(
      `"${text}" is not a place in a house: ${parsed.problem}`,
      'Expected <e-mail>:/<path>, for example anna@example.com:/photos',
    );
  const path = colon === -1 ? '' : text.slice(colon + 1);
  return {
    peer: parsed.email,
    path: path
      .split('/')
      .filter((segment) => segment !== '')
      .join('/'),
  };
}

export function formatHouseTarget({ peer, path }: HouseTarget): string {
  return `${peer}:/${path}`;
}

/** The last segment of the path; undefined for the house itself. */
export function targetName({ path }: HouseTarget): string | undefined {
  return path === '' ? undefined : path.slice(path.lastIndexOf('/') + 1);
}
