/**
 * Control characters (C0, DEL, C1), lone surrogates, line and paragraph separators, and everything that takes no place:
 * bidirectional overrides and isolates (Unicode TR9; "Trojan Source", CVE-2021-42574), zero-width marks, fillers, soft
 * hyphens, tags: what a name from another machine could use to move the cursor or to look like another name. Variation
 * selectors stay, which emoji in ordinary names carry.
 */
const unprintable =
  /[[\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\ufff9-\ufffb]--[\ufe00-\ufe0f]]/gv;

/** `text` with every character that could deceive a terminal, a log or a page written as `\u{hex}`. */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
