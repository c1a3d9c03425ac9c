/** `str(value)` and `repr(value)` */
import { PythonError } from '../python-error.js';
import { reprFloat } from './float-text.js';
import type { Rendering } from './callable.js';
import { type AnyDict, Dict, dictPairs } from './dict.js';
import { bitLength } from './numbers.js';
import { Float, isList, Markup, PythonObject, Tuple, Undefined, type Value } from './value.js';

/** Python refuses to write longer integers. */
const MAX_INTEGER_DIGITS = 4300;
const UNPRINTABLE = /[\p{C}\p{Z}]/u;
const HAS_ESCAPES = /[^ -~]|[\\']/;
const SPECIAL = /[^ -~]|[\\']/gu;

/** Text of a value as output, `~` and the filters for text make it. */
export function str(rendering: Rendering, value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (value instanceof Markup) return value.text;
  if (value instanceof Undefined) return '';
  rendering.notePrinted(value);
  return repr(rendering, value);
}

export function repr(rendering: Rendering, value: Value): string {
  if (value === null) return 'None';
  switch (typeof value) {
    case 'string':
      if (HAS_ESCAPES.test(value)) rendering.walk(value.length);
      else rendering.read(value.length);
      return reprText(value);
    case 'boolean':
      return value ? 'True' : 'False';
    case 'number':
      return Number.isInteger(value) ? String(value) : reprFloat(value);
    case 'bigint': {
      const text = reprInteger(value);
      rendering.spend(text.length);
      return text;
    }
    default:
      return value instanceof Float ? reprFloat(value.value) : reprNested(rendering, value);
  }
}

function reprNested(rendering: Rendering, value: PythonObject | readonly Value[] | AnyDict): string {
  // Only a namespace can hold itself.
  if (rendering.printing.has(value)) return reprContainer(value, () => '{...}', '...');
  rendering.enter();
  rendering.spend(2);
  rendering.printing.add(value);
  const reprOf = (part: Value): string => {
    const text = repr(rendering, part);
    rendering.join(text.length);
    rendering.spend(1);
    return text;
  };
  const text = reprContainer(value, reprOf);
  rendering.printing.delete(value);
  rendering.leave();
  rendering.join(text.length);
  return text;
}

/** @param within stands for the parts of a list, tuple or dictionary */
function reprContainer(
  value: PythonObject | readonly Value[] | AnyDict,
  reprOf: (part: Value) => string,
  within?: string,
): string {
  if (isList(value)) return `[${within ?? value.map(reprOf).join(', ')}]`;
  if (value instanceof Tuple) {
    if (within !== undefined) return `(${within})`;
    const items = value.items.map(reprOf);
    return items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`;
  }
  if (value instanceof Markup) return `Markup(${reprText(value.text)})`;
  if (value instanceof PythonObject && !(value instanceof Dict)) return value.repr(reprOf);
  const pairs = (): string[] =>
    Array.from(dictPairs(value), ([key, entry]) => `${reprOf(key)}: ${reprOf(entry)}`);
  return `{${within ?? pairs().join(', ')}}`;
}

export function reprInteger(value: bigint): string {
  // A decimal digit is more than 3.3 bits.
  const text = bitLength(value) > MAX_INTEGER_DIGITS * 4 ? undefined : value.toString();
  if (text === undefined || text.replace('-', '').length > MAX_INTEGER_DIGITS)
    throw new PythonError(
      'ValueError',
      `Exceeds the limit (${MAX_INTEGER_DIGITS} digits) for integer string conversion`,
    );
  return text;
}

/** A string literal: in single quotes unless that needs more escapes than double ones. */
export function reprText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = HAS_ESCAPES.test(text)
    ? text.replaceAll(SPECIAL, (character) =>
        character === "'" && quote === '"' ? character : reprCharacter(character),
      )
    : text;
  return quote + escaped + quote;
}

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ["'", "\\'"],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

const reprCharacter = (character: string): string =>
  SHORT_ESCAPES.get(character) ?? (isPrintable(character) ? character : escapeCharacter(character));

export const isPrintable = (character: string): boolean => character === ' ' || !UNPRINTABLE.test(character);

/** \xhh, \uhhhh or \Uhhhhhhhh */
function escapeCharacter(character: string): string {
  const code = character.codePointAt(0)!;
  const [letter, width] =
    code < 0x100 ? (['x', 2] as const) : code < 0x10000 ? (['u', 4] as const) : (['U', 8] as const);
  return `\\${letter}${code.toString(16).padStart(width, '0')}`;
}

/** `ascii(value)`: its printed form without characters beyond ASCII. */
export const escapeNonAscii = (text: string): string =>
  text.replaceAll(/\P{ASCII}/gu, (character) => escapeCharacter(character));
