/** Strings as sequences of code points, which Python's are; JavaScript's are of UTF-16 units. */
import type { Budget } from '../limits.js';

const SURROGATE = /[\ud800-\udfff]/;

/** Counts the reading of a text. Characters of two units make it slow. */
export function countReading(budget: Budget, text: string): void {
  if (isSimple(text)) budget.read(text.length);
  else budget.walk(text.length);
}

/** Whether each UTF-16 unit is a character. */
export const isSimple = (text: string): boolean => !SURROGATE.test(text);

export const characters = (text: string): string[] => (isSimple(text) ? text.split('') : Array.from(text));

/** Number of code points. */
export function textLength(text: string): number {
  if (isSimple(text)) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Index of a UTF-16 unit as an index of characters. */
export const toCharacterIndex = (text: string, unit: number): number =>
  unit <= 0 ? unit : textLength(text.slice(0, unit));

/** Characters `start` to `end`, both within the text. */
export function substring(text: string, start: number, end: number): string {
  return isSimple(text) ? text.slice(start, end) : characters(text).slice(start, end).join('');
}

/** Whitespace as `str.isspace` knows it. */
export function isSpace(code: number): boolean {
  if (code < 0x80) return code === 0x20 || (code >= 9 && code <= 13) || (code >= 0x1c && code <= 0x1f);
  if (code < 0x2000) return code === 0x85 || code === 0xa0 || code === 0x1680;
  return (
    code <= 0x200a ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
  );
}

/** First unit from `start` that is no whitespace. */
export function skipSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** The end of the text without whitespace that ends before `end`. */
export function skipSpaceBack(text: string, end: number): number {
  let at = end;
  while (at > 0 && isSpace(text.charCodeAt(at - 1))) at--;
  return at;
}

/** Units of a line break at `at`, or 0: as `str.splitlines` knows them. */
function lineBreakLength(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code === 13) return text.charCodeAt(at + 1) === 10 ? 2 : 1;
  const isBreak =
    (code >= 10 && code <= 12) || (code >= 0x1c && code <= 0x1e) || code === 0x85 || (code | 1) === 0x2029;
  return isBreak ? 1 : 0;
}

export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length;) {
    const length = lineBreakLength(text, at);
    if (length > 0) {
      lines.push(text.slice(start, keepEnds ? at + length : at));
      start = at + length;
    }
    at += length || 1;
  }
  if (start < text.length) lines.push(text.slice(start));
  return lines;
}

/** Words between whitespace. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  for (let at = skipSpace(text, 0); at < text.length;) {
    const start = at;
    while (at < text.length && !isSpace(text.charCodeAt(at))) at++;
    words.push(text.slice(start, at));
    at = skipSpace(text, at);
  }
  return words;
}

/** Order by code points: negative, 0 or positive. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** Moves surrogates above all other units: they stand for the code points from 0x10000. */
const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
