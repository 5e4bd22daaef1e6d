import { printable } from '../util/printable.ts';
import type { Peer } from '../wire/local-api.ts';
import { CommandError } from './command-error.ts';
import { visitAdvice } from './visit-advice.ts';

/** For commands that ask about one peer: scripts read the answer from the exit code. */
export function exitUnlessOnline({ email, status, cause, code }: Peer): void {
  if (status === 'online') return;
  const reason = cause === undefined ? '' : `: ${printable(cause)}`;
  throw new CommandError(
    code ?? 'unreachable',
    `${email} is ${status === 'error' ? 'not usable' : status}${reason}`,
    code === 'identity_changed' ? visitAdvice(code, email) : {},
  );
}
