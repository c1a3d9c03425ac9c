/** `pprint`: printed forms broken into lines of 80 characters. */
import type { Rendering } from '../values/callable.js';
import { isOrdered } from '../values/compare.js';
import { type AnyDict, dictPairs, isDict } from '../values/dict.js';
import { repr, reprText as literalOf } from '../values/printing.js';
import { isSpace, splitLines, textLength } from '../values/text.js';
import { isList, Tuple, typeName, type Value } from '../values/value.js';
import { PythonError } from '../python-error.js';

const WIDTH = 80;

/** Where a value is printed. */
interface Place {
  /** Column of its first character. */
  readonly indent: number;
  /** Characters that follow it on its last line. */
  readonly allowance: number;
  readonly level: number;
}

export const prettyPrint = (rendering: Rendering, value: Value): string =>
  format(rendering, value, { indent: 0, allowance: 0, level: 0 });

function format(rendering: Rendering, value: Value, place: Place): string {
  const flat = flatText(rendering, value);
  rendering.spend(1);
  if (textLength(flat) <= WIDTH - place.indent - place.allowance) return flat;
  rendering.enter();
  const inner = { ...place, level: place.level + 1 };
  const text = formatLong(rendering, value, inner) ?? flat;
  rendering.leave();
  return text;
}

function formatLong(rendering: Rendering, value: Value, place: Place): string | undefined {
  if (typeof value === 'string') {
    rendering.spend(value.length);
    return formatText(value, place);
  }
  if (isDict(value)) return formatDict(rendering, value, place);
  if (isList(value))
    return `[${formatItems(rendering, value, { ...place, allowance: place.allowance + 1 })}]`;
  if (!(value instanceof Tuple) || value.typeName !== 'tuple') return undefined;
  const end = value.items.length === 1 ? ',)' : ')';
  return `(${formatItems(rendering, value.items, { ...place, allowance: place.allowance + end.length })}${end}`;
}

/** The printed form on one line, with sorted keys. */
function flatText(rendering: Rendering, value: Value): string {
  if (!isDict(value) && !isList(value) && !(value instanceof Tuple && value.typeName === 'tuple'))
    return repr(rendering, value);
  rendering.enter();
  const text = flatContainer(rendering, value);
  rendering.leave();
  rendering.make(text.length);
  return text;
}

function flatContainer(rendering: Rendering, value: AnyDict | readonly Value[] | Tuple): string {
  const flat = (part: Value): string => flatText(rendering, part);
  if (isList(value)) return `[${value.map(flat).join(', ')}]`;
  if (value instanceof Tuple)
    return `(${value.items.map(flat).join(', ')}${value.items.length === 1 ? ',' : ''})`;
  return `{${sortedPairs(rendering, value)
    .map(([key, entry]) => `${flat(key)}: ${flat(entry)}`)
    .join(', ')}}`;
}

function sortedPairs(rendering: Rendering, dict: AnyDict): (readonly [Value, Value])[] {
  return Array.from(dictPairs(dict)).toSorted(([a], [b]) => {
    rendering.spend(1);
    return isBefore(rendering, a, b) ? -1 : isBefore(rendering, b, a) ? 1 : 0;
  });
}

/** Keys that have no order are ordered by their types. */
function isBefore(rendering: Rendering, a: Value, b: Value): boolean {
  try {
    return isOrdered(rendering, a, b, '<');
  } catch (error) {
    if (error instanceof PythonError) return typeName(a) < typeName(b);
    throw error;
  }
}

function formatDict(rendering: Rendering, dict: AnyDict, place: Place): string {
  const indent = place.indent + 1;
  const pairs = sortedPairs(rendering, dict);
  const lines = pairs.map(([key, value], i) => {
    const name = flatText(rendering, key);
    const allowance = i === pairs.length - 1 ? place.allowance + 1 : 1;
    const at = { ...place, indent: indent + textLength(name) + 2, allowance };
    return `${name}: ${format(rendering, value, at)}`;
  });
  return `{${lines.join(`,\n${' '.repeat(indent)}`)}}`;
}

function formatItems(rendering: Rendering, items: readonly Value[], place: Place): string {
  const indent = place.indent + 1;
  const lines = items.map((item, i) =>
    format(rendering, item, { ...place, indent, allowance: i === items.length - 1 ? place.allowance : 1 }),
  );
  return lines.join(`,\n${' '.repeat(indent)}`);
}

/** Pieces of a long text, each a literal on a line of its own; in parentheses where nothing else is around it. */
function formatText(text: string, place: Place): string {
  const isAlone = place.level === 1;
  const indent = place.indent + (isAlone ? 1 : 0);
  const allowance = place.allowance + (isAlone ? 1 : 0);
  const width = WIDTH - indent;
  const lines = splitLines(text, true);
  const pieces = lines.flatMap((line, i) => {
    const room = i === lines.length - 1 ? allowance : 0;
    const literal = literalOf(line);
    return textLength(literal) <= width - room ? [literal] : wordPieces(line, width, room);
  });
  if (pieces.length === 1) return pieces[0]!;
  const joined = pieces.join(`\n${' '.repeat(indent)}`);
  return isAlone ? `(${joined})` : joined;
}

function wordPieces(line: string, width: number, room: number): string[] {
  const words = wordsWithSpaces(line);
  const pieces: string[] = [];
  let current = '';
  for (const [i, word] of words.entries()) {
    const limit = i === words.length - 1 ? width - room : width;
    if (textLength(literalOf(current + word)) > limit) {
      if (current !== '') pieces.push(literalOf(current));
      current = word;
    } else current += word;
  }
  if (current !== '') pieces.push(literalOf(current));
  return pieces;
}

/** Words, each with the whitespace after it. */
function wordsWithSpaces(line: string): string[] {
  const words: string[] = [];
  for (let at = 0; at < line.length;) {
    const start = at;
    while (at < line.length && !isSpace(line.charCodeAt(at))) at++;
    while (at < line.length && isSpace(line.charCodeAt(at))) at++;
    words.push(line.slice(start, at));
  }
  return words;
}
