import { readFileSync } from 'node:fs';

/** What Linux counts CPU time in for user space (USER_HZ), the same on every architecture Node runs on. */
const ticksPerSecond = 100;

/**
 * CPU time that a process and its live children have used, in µs: user and system, all threads.
 *
 * It moves in steps of 10 ms, so measure over seconds. Source: `/proc/PID/stat`, fields 14 and 15 (proc(5)).
 */
export function cpuMicrosecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the program's name in parentheses and may hold spaces: count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const own = (ticks * 1_000_000) / ticksPerSecond;
  return childrenOf(pid).reduce((total, child) => total + cpuMicrosecondsOf(child), own);
}

/** Memory a process holds, in MB of 1,000,000 bytes (VmRSS). */
export function residentMegabytesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined)
    throw new Error(`Cannot read the memory of process ${pid}: no VmRSS in its status`);
  return (Number(kibibytes) * 1024) / 1_000_000;
}

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
  return text.split(' ').filter(Boolean).map(Number);
}
