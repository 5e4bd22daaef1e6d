import type { TerminalStream } from '../output.ts';
import { displayWidth, truncate } from './display-width.ts';
import { formatBytes, formatCount, formatSeconds } from './quantities.ts';

export interface Progress {
  /** Printable. */
  readonly name: string;
  readonly bytes: number;
  /** 0 when it is not known yet. */
  readonly total: number;
  readonly bytesPerSecond: number;
  readonly secondsLeft?: number | undefined;
  /** Files complete, of a folder. */
  readonly files?: number | undefined;
  /** Absent while it is not known. */
  readonly filesTotal?: number | undefined;
}

/** Ten pictures a second look alive; more cost time at the terminal's end. */
const redrawIntervalMs = 100;
const barWidthMax = 30;
const barWidthMin = 8;
const eraseLine = '\r\u001b[K';

/** One line for `columns` cells: name, bar, percent, bytes, files, speed, time left; the bar goes first when room is short. */
export function renderProgress(progress: Progress, columns: number): string {
  const { name, bytes, total, bytesPerSecond, secondsLeft, files } = progress;
  const share = total > 0 ? Math.min(1, bytes / total) : 0;
  const figures = [
    ...(total > 0 ? [`${Math.floor(share * 100)} %`.padStart(5)] : []),
    total > 0 ? `${formatBytes(bytes)} of ${formatBytes(total)}` : formatBytes(bytes),
    ...(files === undefined ? [] : [filesFigure(files, progress.filesTotal)]),
    ...(bytesPerSecond > 0 ? [`${formatBytes(bytesPerSecond)}/s`] : []),
    ...(secondsLeft === undefined ? [] : [`${formatSeconds(secondsLeft)} left`]),
  ].join('  ');
  // The last cell stays empty: some terminals wrap when it is filled.
  const room = columns - 1 - displayWidth(figures) - 2;
  if (room <= 0) return truncate(figures, columns - 1);
  const barWidth = Math.min(barWidthMax, room - Math.min(displayWidth(name), 20) - 3);
  if (total === 0 || barWidth < barWidthMin) return `${truncate(name, room)}  ${figures}`;
  const filled = Math.floor(share * barWidth);
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}]`;
  return `${truncate(name, room - barWidth - 3)} ${bar}  ${figures}`;
}

function filesFigure(files: number, total: number | undefined): string {
  return `${formatCount(files)}${total === undefined ? '' : ` of ${formatCount(total)}`} files`;
}

/** Draws progress on one line of a terminal, at most every 100 ms; silent where there is none. */
export class ProgressBar {
  readonly #stream: TerminalStream;
  readonly #isShown: boolean;
  readonly #nowMs: () => number;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #isDrawn = false;

  constructor(
    stream: TerminalStream,
    options: { readonly isQuiet?: boolean; readonly nowMs?: () => number } = {},
  ) {
    this.#stream = stream;
    this.#isShown = stream.isTTY === true && options.isQuiet !== true;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  update(progress: Progress): void {
    const nowMs = this.#nowMs();
    if (!this.#isShown || nowMs - this.#drawnMs < redrawIntervalMs) return;
    this.#drawnMs = nowMs;
    this.#isDrawn = true;
    this.#stream.write(eraseLine + renderProgress(progress, this.#stream.columns ?? 80));
  }

  /** Takes the line away, before other lines are written. */
  clear(): void {
    if (!this.#isDrawn) return;
    this.#isDrawn = false;
    this.#drawnMs = Number.NEGATIVE_INFINITY;
    this.#stream.write(eraseLine);
  }
}
