/** The speed shown is the average over this long: steady on a jumpy network, and still following it. */
const windowMs = 5_000;
/** A speed out of less than this is noise. */
const spanMsMin = 500;
/** A sample closer than this to the one before the last takes the last one's place: the window holds some 50. */
const sampleGapMs = 100;

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
    if (atMs - (this.#samples.at(-2)?.atMs ?? -Infinity) < sampleGapMs) this.#samples.pop();
    this.#samples.push({ atMs, bytes });
    // The one before the window stays: the window's first bytes are counted from it.
    while ((this.#samples[1]?.atMs ?? Infinity) <= atMs - windowMs) this.#samples.shift();
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
