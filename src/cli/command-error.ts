/** Why a command ends without having done what it was asked. `code` decides the exit code (`exit-code.ts`). */
export class CommandError extends Error {
  readonly code: string;
  /** What the person can do, as a sentence of its own. */
  readonly advice: string | undefined;

  constructor(code: string, message: string, options: ErrorOptions & { readonly advice?: string } = {}) {
    super(message, options);
    this.name = 'CommandError';
    this.code = code;
    this.advice = options.advice;
  }
}

export function usageError(message: string, advice?: string): CommandError {
  return new CommandError('usage', message, advice === undefined ? {} : { advice });
}
