import type { Finding } from '../../wire/local-api.ts';
import { failure, fine, warning } from './finding.ts';

const check = 'clock';
/** Time services keep within a second; by minutes, ages and expiry times mislead people. */
const offsetWarningMs = 120_000;
/** Our certificates start a day back (mission C1): beyond it others see them as not yet valid. */
const offsetErrorMs = 86_400_000;

/** Pure. @param offsetMs how far the relay's clock is ahead of this machine's. */
export function judgeClock(offsetMs: number): Finding {
  const size = Math.abs(offsetMs);
  if (size <= offsetWarningMs) return fine(check, 'agrees with the relay');
  const problem = {
    code: 'clock_off',
    message: `This machine's clock is ${describe(size)} ${offsetMs > 0 ? 'behind' : 'ahead of'} the relay's`,
    advice: 'Set the clock, best by a time service (NTP). If it is right, tell the operator of the relay',
  } as const;
  return size > offsetErrorMs ? failure(check, problem) : warning(check, problem);
}

function describe(sizeMs: number): string {
  const minutes = Math.round(sizeMs / 60_000);
  if (minutes < 120) return `${minutes} minutes`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
}
