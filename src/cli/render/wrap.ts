import { displayWidth } from './display-width.ts';

/** Narrower than this, wrapping makes a text harder to read, not easier. */
const widthMin = 20;

/**
 * `text` in lines of at most `width` cells, broken at spaces; a longer word stands alone and sticks out.
 *
 * @param width undefined for output that is no terminal: one line.
 */
export function wrap(text: string, width: number | undefined): string[] {
  if (width === undefined || width < widthMin) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
