/** The speed shown is the average over this long: steady on a jumpy network, and still following it. */
const windowMs = 5_000;
/** A speed out of less than this is noise. */
const spanMsMin = 500;
/** Twice the five updates a second that there are, so that the window is never cut short. */
const samplesMax = 50;

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

export interface Speed {
  /** 0 while it is not known yet. */
  readonly bytesPerSecond: number;
  /** Absent while the speed is not known, or nothing moves. */
  readonly secondsLeft?: number;
}

/** Speed and time left from the bytes that were there at each moment: a moving average. Pure; time is handed in. */
export class SpeedEstimator {
  #samples: Sample[] = [];

  /**
   * A clock that was set back, or fewer bytes than before (a download that starts again), forgets what was measured.
   *
   * @param bytes so far.
   */
  add(atMs: number, bytes: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && (atMs < last.atMs || bytes < last.bytes)) this.#samples = [];
    this.#samples.push({ atMs, bytes });
    // The one before the window stays: the window's first bytes are counted from it.
    while (this.#samples.length > samplesMax || (this.#samples[1]?.atMs ?? Infinity) <= atMs - windowMs)
      this.#samples.shift();
  }

  /** Forgets what was measured; bytes that were there already are no speed. */
  reset(): void {
    this.#samples = [];
  }

  /** @param total 0 or less than what is there: unknown, and no time left is given. */
  speed(total: number): Speed {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined) return { bytesPerSecond: 0 };
    const spanMs = last.atMs - first.atMs;
    if (spanMs < spanMsMin) return { bytesPerSecond: 0 };
    const bytesPerSecond = Math.round(((last.bytes - first.bytes) * 1000) / spanMs);
    if (bytesPerSecond === 0 || total < last.bytes) return { bytesPerSecond };
    return { bytesPerSecond, secondsLeft: Math.ceil((total - last.bytes) / bytesPerSecond) };
  }
}
