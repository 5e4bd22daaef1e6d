import { type CommandContext, sameSignalWithinMs } from './context.ts';

/** 128 + SIGTERM. */
const terminatedExitCode = 143;

/** Resolves when the person (Ctrl-C) or the system (SIGTERM) wants a long-running command to stop. */
export interface StopSignals extends Disposable {
  readonly stopped: Promise<void>;
}

/** The first signal asks, the second one ends the process at once. For Ctrl-C the context sees to the second. */
export function stopSignals({ interrupted }: CommandContext): StopSignals {
  let resolveStopped = (): void => {};
  const stopped = new Promise<void>((resolve) => {
    resolveStopped = resolve;
  });
  let firstMs: number | undefined;
  const onTerminate = (): void => {
    const nowMs = performance.now();
    if (firstMs !== undefined && nowMs - firstMs > sameSignalWithinMs) process.exit(terminatedExitCode);
    firstMs ??= nowMs;
    resolveStopped();
  };
  const onInterrupt = (): void => resolveStopped();
  process.on('SIGTERM', onTerminate);
  if (interrupted.aborted) resolveStopped();
  else interrupted.addEventListener('abort', onInterrupt, { once: true });
  return {
    stopped,
    [Symbol.dispose]() {
      process.removeListener('SIGTERM', onTerminate);
      interrupted.removeEventListener('abort', onInterrupt);
    },
  };
}

/** How long a clean stop may take (issue: exit within 5 s), with room for the process to end. */
const cleanStopMs = 4500;

/** Runs `stop`, and ends the process with 1 when that takes too long: an owner who pressed Ctrl-C is not left waiting. */
export async function stopInTime(context: CommandContext, stop: () => Promise<void>): Promise<void> {
  const timer = setTimeout(() => {
    context.output.error(
      'failed',
      `Stopping took longer than ${cleanStopMs / 1000} s: ended without waiting for the rest`,
    );
    process.exit(1);
  }, cleanStopMs);
  try {
    await stop();
  } finally {
    clearTimeout(timer);
  }
}
