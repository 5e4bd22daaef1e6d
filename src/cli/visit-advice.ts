import type { Email } from '../wire/email.ts';
import { CommandError } from './command-error.ts';

/** What the user can do when somebody's house could not be visited; spread into the options of a {@link CommandError}. */
export function visitAdvice(code: string, email: Email): { readonly advice?: string } {
  if (code === 'refused')
    return { advice: 'They see your request; ask them to run: flashback friends accept YOUR-E-MAIL' };
  if (code === 'identity_changed')
    return {
      advice: `Ask them, by another way, whether they have a new identity. Have they? flashback friends trust ${email}`,
    };
  return {};
}

/** Does `work`, and adds the advice to a failure that the daemon reports. */
export async function withVisitAdvice<Result>(email: Email, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof CommandError) || cause.advice !== undefined) throw cause;
    const { advice } = visitAdvice(cause.code, email);
    throw advice === undefined ? cause : new CommandError(cause.code, cause.message, { cause, advice });
  }
}
