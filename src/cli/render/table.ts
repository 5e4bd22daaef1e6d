import { displayWidth, padEnd, padStart, truncate } from './display-width.ts';

interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Gives way when the table is wider than the terminal; at most one column. */
  readonly isFlexible?: boolean;
}

export interface TableOptions {
  readonly columns: readonly Column[];
  /** Cells of plain, printable text; each row as long as `columns`. */
  readonly rows: readonly (readonly string[])[];
  /** Cells a line may take; undefined for output that is not a terminal, where nothing is cut. */
  readonly width: number | undefined;
  /** Decorates a cell after it was measured: colours take no room. */
  readonly paint?: (text: string, row: number, column: number) => string;
}

const gap = '  ';
/** Below this a cell says nothing any more: lines wrap instead. */
const flexibleWidthMin = 8;

/** Lines of a table, the first its head, columns aligned and two spaces apart. */
export function renderTable({ columns, rows, width, paint = (text) => text }: TableOptions): string[] {
  const widths = columns.map(({ title }, index) =>
    Math.max(displayWidth(title), ...rows.map((row) => displayWidth(row[index] ?? ''))),
  );
  shrink(widths, columns, width);
  const renderRow = (cells: readonly string[], row: number): string =>
    cells
      .map((cell, index) => {
        const cellWidth = widths[index] ?? 0;
        const text = truncate(cell, cellWidth);
        const isLast = index === columns.length - 1;
        const padded =
          columns[index]?.align === 'right'
            ? padStart(text, cellWidth)
            : isLast
              ? text
              : padEnd(text, cellWidth);
        return row === -1 ? padded : paint(padded, row, index);
      })
      .join(gap)
      .trimEnd();
  return [
    renderRow(
      columns.map(({ title }) => title),
      -1,
    ),
    ...rows.map((cells, row) => renderRow(cells, row)),
  ];
}

function shrink(widths: number[], columns: readonly Column[], width: number | undefined): void {
  const flexible = columns.findIndex(({ isFlexible }) => isFlexible);
  if (width === undefined || flexible === -1) return;
  const total = widths.reduce((sum, cells) => sum + cells, 0) + gap.length * (widths.length - 1);
  const excess = total - width;
  if (excess > 0) widths[flexible] = Math.max(flexibleWidthMin, (widths[flexible] ?? 0) - excess);
}
