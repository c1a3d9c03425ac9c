/** Ranges of bytes, one after the other: the UTF-8 forms of a range of characters. */
export type ByteRanges = readonly (readonly [first: number, last: number])[];

/** Last code points of one, two, three and four bytes. */
const LAST_BY_LENGTH = [0x7f, 0x7ff, 0xffff, 0x10ffff];

/** UTF-8 of the code points `first` to `last`, cut into sequences of byte ranges. */
export function utf8Ranges(first: number, last: number): ByteRanges[] {
  const sequences: ByteRanges[] = [];
  for (const end of LAST_BY_LENGTH) {
    if (first > last) break;
    if (first <= end) {
      const upTo = Math.min(last, end);
      split(first, upTo, sequences);
      first = upTo + 1;
    }
  }
  return sequences;
}

/** Cuts a range whose characters have equally many bytes where continuation bytes are not full ranges. */
function split(first: number, last: number, into: ByteRanges[]): void {
  for (const bits of [6, 12, 18]) {
    const mask = (1 << bits) - 1;
    if (first >> bits === last >> bits || first <= 0x7f) continue;
    if ((first & mask) !== 0) {
      split(first, first | mask, into);
      return split((first | mask) + 1, last, into);
    }
    if ((last & mask) !== mask) {
      split(first, (last & ~mask) - 1, into);
      return split(last & ~mask, last, into);
    }
  }
  const from = encode(first);
  const to = encode(last);
  into.push(from.map((byte, i) => [byte, to[i]!] as const));
}

function encode(codePoint: number): number[] {
  if (codePoint <= 0x7f) return [codePoint];
  if (codePoint <= 0x7ff) return [0xc0 | (codePoint >> 6), 0x80 | (codePoint & 63)];
  const tail = [0x80 | ((codePoint >> 6) & 63), 0x80 | (codePoint & 63)];
  if (codePoint <= 0xffff) return [0xe0 | (codePoint >> 12), ...tail];
  return [0xf0 | (codePoint >> 18), 0x80 | ((codePoint >> 12) & 63), ...tail];
}
