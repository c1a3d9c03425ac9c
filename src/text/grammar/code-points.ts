/** Sets of Unicode characters as ranges of code points: first and last of each, ascending and apart. */
export type CodePoints = readonly number[];

const LAST = 0x10ffff;
const SURROGATES: CodePoints = [0xd800, 0xdfff];
export const ALL_CHARACTERS: CodePoints = [0, 0xd7ff, 0xe000, LAST];
/** Characters that a JSON string holds as they are. */
export const PLAIN_CHARACTERS: CodePoints = [0x20, 0x21, 0x23, 0x5b, 0x5d, 0xd7ff, 0xe000, LAST];

/** Sorts and joins ranges; surrogates, which no text has, are left out. */
export function codePoints(ranges: readonly (readonly [first: number, last: number])[]): CodePoints {
  const sorted = ranges.filter(([first, last]) => first <= last).toSorted((a, b) => a[0] - b[0]);
  const joined: number[] = [];
  for (const [first, last] of sorted) {
    const end = joined.length - 1;
    if (joined.length > 0 && first <= joined[end]! + 1) joined[end] = Math.max(joined[end]!, last);
    else joined.push(first, last);
  }
  return subtractRanges(joined, SURROGATES);
}

export function union(...sets: readonly CodePoints[]): CodePoints {
  return codePoints(sets.flatMap(pairsOf));
}

export function complement(set: CodePoints): CodePoints {
  return subtractRanges(ALL_CHARACTERS, set);
}

export function subtractRanges(set: CodePoints, removed: CodePoints): CodePoints {
  const left: number[] = [];
  let at = 0;
  for (const [first, last] of pairsOf(set)) {
    let from = first;
    while (at < removed.length && removed[at + 1]! < from) at += 2;
    for (let i = at; i < removed.length && removed[i]! <= last; i += 2) {
      if (removed[i]! > from) left.push(from, removed[i]! - 1);
      from = removed[i + 1]! + 1;
    }
    if (from <= last) left.push(from, last);
  }
  return left;
}

export function intersect(a: CodePoints, b: CodePoints): CodePoints {
  return subtractRanges(a, complement(b));
}

export function pairsOf(set: CodePoints): [first: number, last: number][] {
  const pairs: [number, number][] = [];
  for (let i = 0; i < set.length; i += 2) pairs.push([set[i]!, set[i + 1]!]);
  return pairs;
}
