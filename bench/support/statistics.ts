/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  const lower = sorted[Math.ceil(middle) - 1];
  if (upper === undefined || lower === undefined) throw new Error('Cannot take the median of no values');
  return (lower + upper) / 2;
}

/** A ratio over rounds: each round is compared with its own neighbour, so that what slows the machine slows both. */
export interface PairedRatio {
  readonly median: number;
  readonly smallest: number;
  readonly largest: number;
}

export function pairedRatio(numerators: readonly number[], denominators: readonly number[]): PairedRatio {
  if (numerators.length !== denominators.length) {
    throw new Error(`Cannot pair ${numerators.length} rounds with ${denominators.length}`);
  }
  const ratios = numerators.map((numerator, round) => numerator / (denominators[round] ?? Number.NaN));
  return { median: median(ratios), smallest: Math.min(...ratios), largest: Math.max(...ratios) };
}
