import { printable } from '../../util/printable.ts';
import type { HouseEntry, HouseListing } from '../../wire/house-http.ts';
import { answerVisitError, subjectOf } from './visit-error.ts';

/** A page may be empty (everything on it is hidden); a folder of nothing but such pages is made up. */
const emptyPagesMax = 1_000;

/**
 * The entries of a folder, page by page: one page is in memory at a time.
 *
 * Names must ascend strictly by their UTF-8 bytes, as the protocol says. That costs one comparison, and with it no
 * house can serve a name twice or a folder without end.
 *
 * @param list asks for the page after a cursor.
 */
export async function* folderEntries(
  path: string,
  list: (after: string | undefined) => Promise<HouseListing>,
): AsyncGenerator<HouseEntry> {
  let after: string | undefined;
  let previous: Buffer | undefined;
  let emptyPages = 0;
  do {
    const { entries, next } = await list(after);
    for (const entry of entries) {
      const name = Buffer.from(entry.name);
      if (previous !== undefined && Buffer.compare(previous, name) >= 0)
        throw answerVisitError(subjectOf(path), `"${printable(entry.name)}" is listed out of order`);
      previous = name;
      yield entry;
    }
    emptyPages = entries.length === 0 ? emptyPages + 1 : 0;
    if (emptyPages > emptyPagesMax)
      throw answerVisitError(subjectOf(path), 'its pages are empty and never end');
    if (next !== undefined && next === after)
      throw answerVisitError(subjectOf(path), 'its pages lead back to themselves');
    after = next;
  } while (after !== undefined);
}
