/**
 * Path and query of the next page, from a `Link` header (RFC 8288 §3): `<…>; rel="next"`. Undefined when there is none, and
 * when it leads away from `origin` or `path`: a page follows its like.
 */
export function nextPagePath(header: string | undefined, origin: string, path: string): string | undefined {
  if (header === undefined) return undefined;
  for (const [, target = '', parameters = ''] of header.matchAll(/<([^<>]*)>((?:\s*;[^,;<>]*)*)/g)) {
    if (!/;\s*rel\s*=\s*(?:next\s*$|next\s*;|"(?:[^"]*\s)?next(?:\s[^"]*)?")/i.test(parameters)) continue;
    if (!URL.canParse(target, origin)) return undefined;
    const url = new URL(target, origin);
    return url.origin === new URL(origin).origin && url.pathname === path
      ? url.pathname + url.search
      : undefined;
  }
  return undefined;
}
