/** What a figure must be: `atMost` and `atLeast` include the limit, `below` does not. */
export interface Goal {
  readonly kind: 'atMost' | 'atLeast' | 'below';
  readonly limit: number;
}

/** One result, ready to print. */
export interface Figure {
  /** What was compared, such as `relay lookup / bare node:https`. */
  readonly subject: string;
  /** What was measured, with units, such as `19.1 µs against 16.4 µs CPU`. */
  readonly measured: string;
  /** The number that the goal is about. */
  readonly value: number;
  /** Its unit; empty for a ratio. */
  readonly unit: string;
  /** The smallest and largest value of all rounds, when there were several. */
  readonly range?: readonly [number, number];
  readonly goal?: Goal;
  /** From `--quick`: too short to judge. */
  readonly isQuick: boolean;
}

type Verdict = 'reached' | 'not reached' | 'for information' | 'not judged (--quick)';

export function judge(figure: Figure): Verdict {
  if (figure.goal === undefined) return 'for information';
  if (figure.isQuick) return 'not judged (--quick)';
  return isReached(figure.value, figure.goal) ? 'reached' : 'not reached';
}

export function formatFigure(figure: Figure): string {
  const goal = figure.goal === undefined ? '' : `, goal ${formatGoal(figure.goal, figure.unit)}`;
  return `${figure.subject}: ${figure.measured}, ${formatValue(figure)}${goal}: ${judge(figure)}`;
}

/** The figures as a table for the end of a run, one line a figure. */
export function formatTable(rows: readonly { readonly question: string; readonly figure: Figure }[]): string {
  const cells = rows.map(({ question, figure }) => [
    question,
    figure.subject,
    formatValue(figure),
    figure.goal === undefined ? '' : formatGoal(figure.goal, figure.unit),
    judge(figure),
  ]);
  const table = [['question', 'figure', 'median (range)', 'goal', 'verdict'], ...cells];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function isReached(value: number, { kind, limit }: Goal): boolean {
  if (kind === 'atMost') return value <= limit;
  if (kind === 'atLeast') return value >= limit;
  return value < limit;
}

const symbols = { atMost: '≤', atLeast: '≥', below: '<' };

function formatGoal({ kind, limit }: Goal, unit: string): string {
  return `${symbols[kind]} ${unit === '' ? limit.toFixed(2) : `${limit} ${unit}`}`;
}

function formatValue({ value, unit, range }: Figure): string {
  const digits = unit === '' ? 3 : 1;
  const spread = range === undefined ? '' : ` (${range[0].toFixed(digits)}–${range[1].toFixed(digits)})`;
  return `${value.toFixed(digits)}${unit === '' ? '' : ` ${unit}`}${spread}`;
}
