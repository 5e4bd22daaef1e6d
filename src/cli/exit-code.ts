import type { FailureCode } from '../wire/local-api.ts';

/** What scripts may rely on (design §8, `docs/cli.md`). */
export const exitCodes = {
  done: 0,
  failed: 1,
  wrongUsage: 2,
  notFound: 3,
  unreachable: 4,
  refused: 5,
  identityChanged: 6,
  /** 128 + SIGINT, as shells say it. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Failures that the daemon answers with. */
const exitCodeByFailure: Readonly<Record<FailureCode, ExitCode>> = {
  bad_request: exitCodes.wrongUsage,
  not_found: exitCodes.notFound,
  unreachable: exitCodes.unreachable,
  relay_away: exitCodes.unreachable,
  away: exitCodes.unreachable,
  refused: exitCodes.refused,
  identity_changed: exitCodes.identityChanged,
  exists: exitCodes.failed,
  corrupt: exitCodes.failed,
  cancelled: exitCodes.failed,
  failed: exitCodes.failed,
};

/** Failures that are found out before any daemon is asked. */
const exitCodeByLocalCode: ReadonlyMap<string, ExitCode> = new Map([
  ['invalid_settings', exitCodes.wrongUsage],
  ['usage', exitCodes.wrongUsage],
  /** Of an export where no daemon runs; a daemon says `bad_request`. */
  ['weak-passphrase', exitCodes.wrongUsage],
  ['daemon_not_running', exitCodes.unreachable],
  ['interrupted', exitCodes.interrupted],
]);

/** @param code of a `Failure` of the daemon, or of an error of this program. */
export function exitCodeOf(code: string): ExitCode {
  return exitCodeByLocalCode.get(code) ?? (isFailureCode(code) ? exitCodeByFailure[code] : exitCodes.failed);
}

function isFailureCode(code: string): code is FailureCode {
  return Object.hasOwn(exitCodeByFailure, code);
}
