import type { doctorCodes, Finding } from '../../wire/local-api.ts';

type DoctorCode = (typeof doctorCodes)[number];

/** What was checked, and in which words it went wrong. */
export interface Problem {
  readonly code: DoctorCode;
  readonly message: string;
  /** What to do, as sentences. */
  readonly advice: string;
}

export function fine(check: string, message: string): Finding {
  return { code: 'ok', severity: 'ok', check, message };
}

/** It works, and should be looked after. */
export function warning(check: string, problem: Problem): Finding {
  return { severity: 'warning', check, ...problem };
}

/** Something does not work. */
export function failure(check: string, problem: Problem): Finding {
  return { severity: 'error', check, ...problem };
}

/** `Cannot read x: permission denied` from whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
