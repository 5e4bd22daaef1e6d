import type { Command } from 'commander';
import type { DoctorOptions } from '../../peer/doctor/run-doctor.ts';
import { printable } from '../../util/printable.ts';
import { type Finding, localApiPaths, StatusSchema } from '../../wire/local-api.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { DaemonClient } from '../daemon-client.ts';
import type { Output } from '../output.ts';
import { wrap } from '../render/wrap.ts';

/** The daemon answers this from memory. */
const statusTimeoutMs = 5000;

export function declareDoctor(command: Command, context: CommandContext): void {
  command
    .option('--json', 'print one line of JSON a finding')
    .addHelpText(
      'after',
      `
Checks settings, identity, certificate, relay, clock, folder, port and the running Flashback, and says what to do.
Exits with 1 when something does not work; warnings alone are no failure.`,
    )
    .action(() => examine(context));
}

async function examine(context: CommandContext): Promise<void> {
  const { output, interrupted } = context;
  const { runDoctor } = await import('../../peer/doctor/run-doctor.ts');
  let errors = 0;
  for await (const finding of runDoctor({
    ...context,
    daemon: await lookAtDaemon(context),
    signal: interrupted,
  })) {
    output.object(finding);
    for (const line of renderFinding(finding, output)) output.line(line);
    if (finding.severity === 'error') errors += 1;
  }
  if (errors > 0)
    throw new CommandError(
      'failed',
      errors === 1 ? 'One thing does not work' : `${errors} things do not work`,
    );
}

async function lookAtDaemon(context: CommandContext): Promise<DoctorOptions['daemon']> {
  try {
    const daemon = await DaemonClient.open(context);
    const status = await daemon.ask(StatusSchema, { path: localApiPaths.status, timeoutMs: statusTimeoutMs });
    return { kind: 'running', status };
  } catch (error) {
    if (context.interrupted.aborted || !(error instanceof CommandError)) throw error;
    return error.code === 'daemon_not_running'
      ? { kind: 'stopped' }
      : { kind: 'silent', reason: error.message };
  }
}

const colourBySeverity = { ok: 'green', warning: 'yellow', error: 'red' } as const;

const indent = ' '.repeat(21);

/** `error    relay        …`, and below it what to do. */
function renderFinding({ severity, check, message, advice }: Finding, output: Output): string[] {
  const word = output.paint(colourBySeverity[severity], severity.padEnd(8));
  const width = output.isTerminal ? output.columns - indent.length : undefined;
  const [first = '', ...rest] = wrap(printable(message), width);
  const below = [...rest, ...(advice === undefined ? [] : wrap(printable(advice), width))];
  return [`${word} ${check.padEnd(11)} ${first}`, ...below.map((line) => indent + line)];
}
