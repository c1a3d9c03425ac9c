/** Sets of characters that patterns name. */
import type { AST } from '@eslint-community/regexpp';
import { type CodePoints, codePoints, complement, union } from '../code-points.js';

const DIGITS = codePoints([[0x30, 0x39]]);
const WORDS = codePoints([
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]);
const SPACES = codePoints([
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]);
const LINE_ENDS = codePoints([
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
]);

/** Flags of a pattern that change its sets. */
export interface SetFlags {
  readonly ignoresCase: boolean;
  /** `.` matches line ends, too. */
  readonly dotMatchesAll: boolean;
}

export function namedSet(set: AST.CharacterSet, { dotMatchesAll }: SetFlags): CodePoints {
  switch (set.kind) {
    case 'any':
      return dotMatchesAll ? complement([]) : complement(LINE_ENDS);
    case 'digit':
      return set.negate ? complement(DIGITS) : DIGITS;
    case 'space':
      return set.negate ? complement(SPACES) : SPACES;
    case 'word':
      return set.negate ? complement(WORDS) : WORDS;
    case 'property':
      return propertySet(set.raw);
  }
}

const CHUNK = 0x1000;

/** Characters that the regular expression engine itself finds to have a property. @param raw such as `\p{L}` */
function propertySet(raw: string): CodePoints {
  const runs = new RegExp(`${raw}+`, 'gu');
  const ranges: [number, number][] = [];
  for (let first = 0; first <= 0x10ffff; first += CHUNK) {
    if (first === 0xd000) continue;
    ranges.push(...runsOf(runs, first, CHUNK));
  }
  return codePoints([...ranges, ...runsOf(runs, 0xd000, 0x800)]);
}

/** Ranges among `count` characters. */
function runsOf(runs: RegExp, first: number, count: number): [number, number][] {
  const text = String.fromCodePoint(...Array.from({ length: count }, (_, i) => first + i));
  const units = first > 0xffff ? 2 : 1;
  return Array.from(text.matchAll(runs), ({ index, 0: run }): [number, number] => [
    first + index / units,
    first + (index + run.length) / units - 1,
  ]);
}

/** The set with both cases of its Latin letters. */
export function withBothCases(set: CodePoints): CodePoints {
  const moved = (from: number, to: number): [number, number][] => {
    const ranges: [number, number][] = [];
    for (let i = 0; i < set.length; i += 2) {
      const first = Math.max(set[i]!, from);
      const last = Math.min(set[i + 1]!, from + 25);
      if (first <= last) ranges.push([first - from + to, last - from + to]);
    }
    return ranges;
  };
  return union(set, codePoints([...moved(0x41, 0x61), ...moved(0x61, 0x41)]));
}
