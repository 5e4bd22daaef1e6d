import { createInterface } from 'node:readline';
import { CommandError, usageError } from './command-error.ts';
import type { CommandContext } from './context.ts';

export interface Question {
  readonly text: string;
  /** Taken when the person just presses Enter. */
  readonly fallback?: string;
  /** Why an answer will not do, to ask again; undefined when it will. */
  readonly problem?: (answer: string) => string | undefined;
}

/** Answers longer than this were pasted by mistake. */
const answerCharactersMax = 4096;

/** Whether somebody sits there to answer. */
export function canAsk({ stdin, output }: CommandContext): boolean {
  return stdin.isTTY === true && output.stderr.isTTY === true && !output.isJson;
}

/** Asks until an answer will do. Questions go to stderr: stdout is for results. */
export async function ask(context: CommandContext, question: Question): Promise<string> {
  const { text, fallback, problem = () => undefined } = question;
  for (;;) {
    const shown = fallback === undefined || fallback === '' ? `${text}: ` : `${text} [${fallback}]: `;
    const typed = (await readAnswer(context, shown)).trim();
    const answer = typed === '' && fallback !== undefined ? fallback : typed;
    const refusal = answer.length > answerCharactersMax ? 'that is too long' : problem(answer);
    if (refusal === undefined) return answer;
    context.output.note(`  ${refusal}`);
  }
}

export async function confirm(context: CommandContext, text: string, fallback: boolean): Promise<boolean> {
  const answer = await ask(context, {
    text: `${text} (${fallback ? 'Y/n' : 'y/N'})`,
    problem: (given) => (/^(?:y|yes|n|no|)$/i.test(given) ? undefined : 'please answer y or n'),
  });
  return answer === '' ? fallback : /^y/i.test(answer);
}

/** One line from the terminal. Ctrl-C interrupts, and the end of the input (Ctrl-D) is wrong usage. */
function readAnswer({ stdin, output, interrupted }: CommandContext, prompt: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: stdin, output: output.stderr, terminal: stdin.isTTY === true });
    const finish = (settle: () => void): void => {
      interrupted.removeEventListener('abort', onAbort);
      lines.removeListener('close', onClose);
      lines.close();
      settle();
    };
    const onAbort = (): void => finish(() => reject(interrupted.reason));
    const onClose = (): void =>
      finish(() => reject(usageError('The input ended before the question was answered')));
    interrupted.addEventListener('abort', onAbort, { once: true });
    lines.on('close', onClose);
    // In raw mode Ctrl-C is a key, not a signal.
    lines.on('SIGINT', () => finish(() => reject(new CommandError('interrupted', 'Interrupted'))));
    lines.question(prompt, (answer) => finish(() => resolve(answer)));
  });
}
