import type { Clock } from '../clock.ts';

/** A clock that moves only when told. Both times move together, unless one is set on its own. */
export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  readonly #timers = new Set<{ readonly dueMs: number; readonly work: () => void }>();
  readonly #watchers = new Set<() => void>();

  constructor(wallMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = wallMs;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, work: () => void): Disposable {
    const timer = { dueMs: this.#monotonicMs + Math.max(0, delayMs), work };
    this.#timers.add(timer);
    for (const watcher of this.#watchers) watcher();
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  /** Moves on, and runs what falls due on the way, in order. */
  advance(byMs: number): void {
    const untilMs = this.#monotonicMs + byMs;
    for (;;) {
      const next = this.#nextTimer();
      if (next === undefined || next.dueMs > untilMs) break;
      this.#move(next.dueMs - this.#monotonicMs);
      this.#timers.delete(next);
      next.work();
    }
    this.#move(untilMs - this.#monotonicMs);
  }

  /** As when somebody sets the clock, or the machine wakes from a sleep. */
  jumpWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** Milliseconds until each timer, the next one first. */
  get delaysMs(): number[] {
    return [...this.#timers].map((timer) => timer.dueMs - this.#monotonicMs).sort((a, b) => a - b);
  }

  /** Resolves when a timer is due in exactly `delayMs`: what waits there has come to rest. */
  async timerSet(isWanted: (delayMs: number) => boolean): Promise<number> {
    for (;;) {
      const found = this.delaysMs.find(isWanted);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const watcher = (): void => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  #nextTimer(): { readonly dueMs: number; readonly work: () => void } | undefined {
    let next: { readonly dueMs: number; readonly work: () => void } | undefined;
    for (const timer of this.#timers) if (next === undefined || timer.dueMs < next.dueMs) next = timer;
    return next;
  }

  #move(byMs: number): void {
    this.#monotonicMs += byMs;
    this.#wallMs += byMs;
  }
}
