/** Bytes `start` up to and not including `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a `Range` field (RFC 9110 §14.2) for a file of `size` bytes: one range, `unsatisfiable`, or `whole` for what a server is
 * free to ignore (another unit, a malformed field, several ranges: they would only be glued together by the visitor again).
 */
export function parseByteRange(
  field: string | undefined,
  size: number,
): ByteRange | 'whole' | 'unsatisfiable' {
  if (field === undefined) return 'whole';
  const match = /^bytes=[ \t]*(\d{0,20})-(\d{0,20})[ \t]*$/i.exec(field);
  const [first, last] = [match?.[1], match?.[2]];
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'whole';
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < start) return 'whole';
  return start >= size ? 'unsatisfiable' : { start, end };
}
