/**
 * Control characters (C0, DEL, C1), line and paragraph separators, bidirectional overrides and isolates
 * (Unicode TR9; "Trojan Source", CVE-2021-42574), zero-width marks and lone surrogates: what a name from
 * another machine could use to move the cursor or to look like another name.
 */
const unprintable =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** `text` with every character that could deceive a terminal, a log or a page written as `\u{hex}`. */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`);
}
