import { z } from 'zod';

/** RFC 5321 §4.5.3.1.3: a path holds 256 octets, two of them the angle brackets. */
export const emailCharactersMax = 254;

/** RFC 5321 §4.5.3.1.1. */
const localPartCharactersMax = 64;

/**
 * An e-mail in the one form that everything compares: lower case. ASCII only, because a certificate carries it
 * as rfc822Name, which is IA5String (RFC 5280 §4.2.1.6).
 */
export type Email = string;

// RFC 5322 dot-atom @ host name (one label is enough: `me@nas`); quoted local parts and address literals are refused.
const emailPattern =
  /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** The canonical form of `text`, or a sentence that says what is wrong with it. */
export function parseEmail(text: string): { email: Email } | { problem: string } {
  if (text.length === 0) return { problem: 'email is empty' };
  if (text.length > emailCharactersMax)
    return { problem: `email has ${text.length} characters, the limit is ${emailCharactersMax}` };
  // oxlint-disable-next-line no-control-regex
  if (!/^[\x21-\x7e]+$/.test(text)) return { problem: 'email may hold printable ASCII characters only' };
  const email = text.toLowerCase();
  if (!emailPattern.test(email) || email.indexOf('@') > localPartCharactersMax)
    return { problem: 'email is not of the form name@host' };
  return { email };
}

export const EmailSchema = z
  .string({ error: (issue) => (issue.input === undefined ? 'email is missing' : 'email must be a string') })
  .transform((text, context): Email => {
    const parsed = parseEmail(text);
    if ('email' in parsed) return parsed.email;
    context.addIssue({ code: 'custom', message: parsed.problem });
    return z.NEVER;
  });
