/** Time, handed in where it matters, so that tests move it by hand. */
export interface Clock {
  /** Wall clock, milliseconds since 1970: for what people read and what is written down. It may be set back. */
  nowMs(): number;
  /** Only ever goes forward, milliseconds since some moment: for intervals. It may stand still while the machine sleeps. */
  monotonicMs(): number;
  /** Runs `work` once after `delayMs` milliseconds, unless disposed before. */
  after(delayMs: number, work: () => void): Disposable;
}

/** `setTimeout` fires at once when the delay does not fit into 31 bits. */
const timerDelayMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, work) => {
    const timer = setTimeout(work, Math.min(delayMs, timerDelayMsMax));
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
