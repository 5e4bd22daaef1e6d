/**
 * Names and paths inside a house. Both sides use these rules: a house serves no other names, and a visitor
 * accepts no other names from a house, so that what is listed can be fetched and saved on every platform.
 */

/** Deeper than any folder people make by hand or `npm` makes for them; bounds the work of one request. */
export const housePathSegmentsMax = 64;
/** Below PATH_MAX of Linux (4,096) with room for the way to the house itself: what is accepted here can be opened. */
export const housePathBytesMax = 4000;
/** NAME_MAX of Linux, macOS (in UTF-8) and the common file systems. */
export const houseNameBytesMax = 255;

/** Devices that Windows opens under any folder and with any extension (`nul.txt` is the device). */
const reservedWindowsName = /^(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9¹²³])$/i;

/**
 * Why `name` can never be the name of an entry in a house, or undefined when it can.
 * The text names the rule and never repeats the name: it may hold anything.
 */
export function nameRefusal(name: string): string | undefined {
  if (name === '') return 'an empty name';
  if (name === '.' || name === '..') return 'a dot segment';
  if (name.includes('/') || name.includes('\\')) return 'a separator inside a name';
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) return 'a control character';
  if (name.includes(':')) return 'a colon (drive or stream)';
  if (/[. ]$/.test(name)) return 'a trailing dot or space';
  if (!name.isWellFormed()) return 'a lone surrogate';
  const dot = name.indexOf('.');
  const stem = (dot === -1 ? name : name.slice(0, dot)).trimEnd();
  if (reservedWindowsName.test(stem)) return 'a name reserved by Windows';
  if (utf8Length(name) > houseNameBytesMax) return `a name over ${houseNameBytesMax} bytes`;
  return undefined;
}

/**
 * Why `path` (decoded, segments joined by `/`, empty for the house itself) is not a path in a house, or undefined
 * when it is.
 */
export function pathRefusal(path: string): string | undefined {
  if (path === '') return undefined;
  if (utf8Length(path) > housePathBytesMax) return `a path over ${housePathBytesMax} bytes`;
  const segments = path.split('/');
  if (segments.length > housePathSegmentsMax) return `a path over ${housePathSegmentsMax} segments`;
  for (const segment of segments) {
    const refusal = nameRefusal(segment);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** `path` as it stands in a request, each segment percent-encoded: `a b/ä` → `a%20b/%C3%A4`. */
export function encodeHousePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

const encoder = new TextEncoder();

/** Bytes of `text` in UTF-8, not counted further than the limits need: it is never shorter than its UTF-16 units. */
function utf8Length(text: string): number {
  return text.length > housePathBytesMax ? text.length : encoder.encode(text).length;
}
