import type { z } from 'zod';

/** Sixteen bad addresses need not each be told. */
const issuesShownMax = 4;

/** A schema's complaints with their fields, in one sentence: `port must be an integer from 1 to 65535`. */
export function describeIssues(error: z.ZodError): string {
  const sentences = error.issues.slice(0, issuesShownMax).map((issue) => {
    const path = issue.path.map(String).join('.');
    return path === '' || issue.message.startsWith(String(issue.path[0]))
      ? issue.message
      : `${path} ${issue.message}`;
  });
  const untold = error.issues.length - sentences.length;
  if (untold > 0) sentences.push(`and ${untold} more`);
  return [...new Set(sentences)].join('; ');
}
