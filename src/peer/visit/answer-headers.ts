import { VisitError } from './visit-error.ts';

/** Header fields by lower-case name. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** We ask for none: an encoding would be a way to make much of little, and lengths would mean something else. */
export function refuseEncoding(subject: string, headers: Headers): void {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return;
  throw new VisitError('failed', `The house sends ${subject} compressed, which was not asked for`);
}
