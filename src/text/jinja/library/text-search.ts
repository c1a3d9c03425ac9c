/** Finding, counting, replacing and splitting within strings. */
import { valueError } from '../python-error.js';
import type { Rendering } from '../values/callable.js';
import {
  characters,
  isSimple,
  isSpace,
  skipSpace,
  skipSpaceBack,
  splitWords,
  textLength,
  toCharacterIndex,
} from '../values/text.js';

/** The part of a text that a search looks at, in UTF-16 units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The span from one index of characters to another, cut as Python cuts; undefined when it starts behind the text. */
export function spanOf(text: string, first: number | undefined, last: number | undefined): Span | undefined {
  const length = textLength(text);
  const cut = (index: number): number => Math.max(0, index < 0 ? index + length : index);
  const [start, end] = [cut(first ?? 0), Math.min(length, cut(last ?? length))];
  if (start > length || start > end) return undefined;
  if (length === text.length) return { start, end };
  const units = characters(text);
  const unitAt = (index: number): number => units.slice(0, index).join('').length;
  return { start: unitAt(start), end: unitAt(end) };
}

/** Index of the first or last place of `part`, or -1. */
export function find(text: string, part: string, span: Span | undefined, isLast: boolean): number {
  if (span === undefined) return -1;
  const unit = isLast ? lastIndexOf(text, part, span.end) : text.indexOf(part, span.start);
  const isInside = unit >= span.start && unit + part.length <= span.end;
  return isInside ? toCharacterIndex(text, unit) : -1;
}

/** Start of the last place that ends at `end` or before, or -1. */
function lastIndexOf(text: string, part: string, end: number): number {
  if (end < part.length) return -1;
  if (part.length < 32) return text.lastIndexOf(part, end - part.length);
  // JavaScript searches backwards by comparing at every place; forwards it skips what cannot match.
  const at = backwards(text.slice(0, end)).indexOf(backwards(part));
  return at < 0 ? -1 : end - at - part.length;
}

const backwards = (text: string): string => text.split('').toReversed().join('');

export function countOf(text: string, part: string): number {
  if (part === '') return textLength(text) + 1;
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++;
  return count;
}

/** Replaces the first `limit` places, all when it is negative. */
export function replace(
  rendering: Rendering,
  text: string,
  [from, to]: readonly [string, string],
  limit: number,
): string {
  rendering.read(text.length);
  const count = limit < 0 ? countOf(text, from) : Math.min(limit, countOf(text, from));
  rendering.make(text.length + count * (to.length - from.length));
  rendering.spend(count >>> 1);
  if (from === '') return insertBetween(text, to, count);
  if (limit < 0) return text.split(from).join(to);
  return split(text, from, count).join(to);
}

function insertBetween(text: string, part: string, count: number): string {
  const all = characters(text);
  return (
    all.map((character, i) => (i < count ? part + character : character)).join('') +
    (count > all.length ? part : '')
  );
}

/** Pieces between separators; `limit` splits at most, all when it is negative. */
export function split(text: string, separator: string, limit: number): string[] {
  if (separator === '') throw valueError('empty separator');
  if (limit < 0) return text.split(separator);
  const pieces: string[] = [];
  let start = 0;
  while (pieces.length < limit) {
    const at = text.indexOf(separator, start);
    if (at < 0) break;
    pieces.push(text.slice(start, at));
    start = at + separator.length;
  }
  pieces.push(text.slice(start));
  return pieces;
}

/** The same from the right. */
export function splitFromRight(text: string, separator: string, limit: number): string[] {
  if (separator === '') throw valueError('empty separator');
  const pieces: string[] = [];
  let end = text.length;
  while (limit < 0 || pieces.length < limit) {
    const at = lastIndexOf(text, separator, end);
    if (at < 0) break;
    pieces.push(text.slice(at + separator.length, end));
    end = at;
  }
  pieces.push(text.slice(0, end));
  return pieces.toReversed();
}

/** Words; after `limit` of them the rest stays whole. */
export function splitSpaces(text: string, limit: number): string[] {
  if (limit < 0) return splitWords(text);
  const words: string[] = [];
  let at = skipSpace(text, 0);
  while (at < text.length && words.length < limit) {
    const start = at;
    while (at < text.length && !isSpace(text.charCodeAt(at))) at++;
    words.push(text.slice(start, at));
    at = skipSpace(text, at);
  }
  if (at < text.length) words.push(text.slice(at));
  return words;
}

export function splitSpacesFromRight(text: string, limit: number): string[] {
  if (limit < 0) return splitWords(text);
  const words: string[] = [];
  let end = skipSpaceBack(text, text.length);
  while (end > 0 && words.length < limit) {
    let start = end;
    while (start > 0 && !isSpace(text.charCodeAt(start - 1))) start--;
    words.push(text.slice(start, end));
    end = skipSpaceBack(text, start);
  }
  if (end > 0) words.push(text.slice(0, end));
  return words.toReversed();
}

/** Text before a separator, the separator, and the text after it. */
export function partition(text: string, separator: string, isLast: boolean): [string, string, string] {
  if (separator === '') throw valueError('empty separator');
  const at = isLast ? lastIndexOf(text, separator, text.length) : text.indexOf(separator);
  if (at < 0) return isLast ? ['', '', text] : [text, '', ''];
  return [text.slice(0, at), separator, text.slice(at + separator.length)];
}

/** Removes whitespace, or characters of a set, at the ends. */
/** {@link strip} that counts what it takes away, which it has looked at character by character. */
export function stripCounted(
  rendering: Rendering,
  text: string,
  characterSet: string | undefined,
  sides: 'left' | 'right' | 'both',
): string {
  const rest = strip(text, characterSet, sides);
  rendering.walk(text.length - rest.length);
  return rest;
}

export function strip(
  text: string,
  characterSet: string | undefined,
  sides: 'left' | 'right' | 'both',
): string {
  if (characterSet === undefined) {
    const start = sides === 'right' ? 0 : skipSpace(text, 0);
    return text.slice(
      start,
      sides === 'left' ? text.length : Math.max(start, skipSpaceBack(text, text.length)),
    );
  }
  // Surrogates are no members of a set without them, so units are enough then.
  const isPlain = isSimple(characterSet);
  const set = new Set(characters(characterSet));
  const all = isPlain ? text : characters(text);
  let [start, end] = [0, all.length];
  if (sides !== 'right') while (start < end && set.has(all[start]!)) start++;
  if (sides !== 'left') while (end > start && set.has(all[end - 1]!)) end--;
  return typeof all === 'string' ? all.slice(start, end) : all.slice(start, end).join('');
}
