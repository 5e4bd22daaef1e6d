/** Places for work that runs at the same time, in all and for one visitor. Whoever finds none is told to come back, not queued. */
export class Slots {
  readonly #totalMax: number;
  readonly #perVisitorMax: number;
  readonly #countByVisitor = new Map<string, number>();
  #total = 0;

  constructor(totalMax: number, perVisitorMax: number) {
    this.#totalMax = totalMax;
    this.#perVisitorMax = perVisitorMax;
  }

  /** A place, given back by disposing it, or undefined when all are taken. */
  take(visitor: string): Disposable | undefined {
    const count = this.#countByVisitor.get(visitor) ?? 0;
    if (this.#total >= this.#totalMax || count >= this.#perVisitorMax) return undefined;
    this.#total += 1;
    this.#countByVisitor.set(visitor, count + 1);
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (!isTaken) return;
        isTaken = false;
        this.#giveBack(visitor);
      },
    };
  }

  #giveBack(visitor: string): void {
    this.#total -= 1;
    const count = (this.#countByVisitor.get(visitor) ?? 0) - 1;
    if (count > 0) this.#countByVisitor.set(visitor, count);
    else this.#countByVisitor.delete(visitor);
  }
}
