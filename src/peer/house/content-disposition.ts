/**
 * `Content-Disposition` by RFC 6266 with `filename*` by RFC 8187: the exact name in UTF-8 for whoever reads it, and an ASCII
 * likeness for whoever does not. Neither can end the header or start another: `name` is percent-encoded or reduced to letters.
 */
export function contentDisposition(kind: 'inline' | 'attachment', name: string): string {
  const likeness = name.replaceAll(/[^\u0020-\u007e]|["\\%]/gu, '_');
  const exact = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${likeness}"; filename*=UTF-8''${exact}`;
}
