/** A number of places; who finds none waits in line, for as long as their signal lets them. */
export class Places {
  #free: number;
  readonly #line = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** Resolves with a place, given back by disposing it. Rejects with the signal's reason when it aborts first. */
  async take(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#waitInLine(signal);
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (!isTaken) return;
        isTaken = false;
        this.#giveBack();
      },
    };
  }

  get waiting(): number {
    return this.#line.size;
  }

  #waitInLine(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onTurn = (): void => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        this.#line.delete(onTurn);
        reject(signal.reason);
      };
      this.#line.add(onTurn);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** The place goes to the first in line, so that a newcomer cannot slip in between. */
  #giveBack(): void {
    for (const onTurn of this.#line) {
      this.#line.delete(onTurn);
      onTurn();
      return;
    }
    this.#free += 1;
  }
}
