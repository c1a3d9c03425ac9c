/** `tojson` as transformers defines it: `json.dumps` without escapes for HTML. */
import { typeError } from '../python-error.js';
import { native } from '../values/arguments.js';
import type { TemplateFunction, Rendering } from '../values/callable.js';
import { sortedBy } from '../values/compare.js';
import { type AnyDict, dictPairs, isDict } from '../values/dict.js';
import { reprFloat } from '../values/float-text.js';
import { isTrue, listOf } from '../values/iterate.js';
import { indexOf, numberOf } from '../values/numbers.js';
import { reprInteger } from '../values/printing.js';
import { isSimple } from '../values/text.js';
import { isList, asText, Tuple, typeName, type Value } from '../values/value.js';

interface Style {
  readonly asciiOnly: boolean;
  /** Indentation of one level; undefined for one line. */
  readonly indent: string | undefined;
  readonly itemSeparator: string;
  readonly keySeparator: string;
  readonly sortKeys: boolean;
}

export const tojson: TemplateFunction = native<[Value, Value, Value, Value, Value]>(
  'tojson',
  ['x', ['ensure_ascii', false], ['indent', null], ['separators', null], ['sort_keys', false]],
  (rendering, [value, asciiOnly, indent, separators, sortKeys]) => {
    const indentation = indentText(rendering, indent);
    const [itemSeparator, keySeparator] = separatorTexts(rendering, separators, indentation);
    const style: Style = {
      asciiOnly: isTrue(asciiOnly),
      indent: indentation,
      itemSeparator,
      keySeparator,
      sortKeys: isTrue(sortKeys),
    };
    return new JsonWriter(rendering, style).write(value, '\n');
  },
);

function indentText(rendering: Rendering, indent: Value): string | undefined {
  if (indent === null) return undefined;
  const text = asText(indent);
  if (text !== undefined) return text;
  const width = indexOf(indent);
  if (width === undefined)
    throw typeError(`can't multiply sequence by non-int of type '${typeName(indent)}'`);
  rendering.make(Math.max(0, width));
  return ' '.repeat(Math.max(0, width));
}

function separatorTexts(
  rendering: Rendering,
  separators: Value,
  indent: string | undefined,
): [string, string] {
  if (separators === null) return [indent === undefined ? ', ' : ',', ': '];
  const texts = listOf(rendering, separators).map(asText);
  const [item, key] = texts;
  if (texts.length !== 2 || item === undefined || key === undefined)
    throw typeError('separators must be two texts: between items, and after keys');
  return [item, key];
}

class JsonWriter {
  readonly #rendering: Rendering;
  readonly #style: Style;

  constructor(rendering: Rendering, style: Style) {
    this.#rendering = rendering;
    this.#style = style;
  }

  /** @param newline a line break with the indentation of the value's own line */
  write(value: Value, newline: string): string {
    const text = asText(value);
    if (text !== undefined) return this.#text(text);
    if (value === null) return 'null';
    if (typeof value === 'boolean') return value ? 'true' : 'false';
    const number = numberOf(value);
    if (number !== undefined)
      return number.isFloat ? floatText(number.value) : reprInteger(BigInt(number.value));
    return this.#nested(value, newline);
  }

  #nested(value: Value, newline: string): string {
    this.#rendering.enter();
    const inner = newline + (this.#style.indent ?? '');
    const list = isList(value) ? value : value instanceof Tuple ? value.items : undefined;
    const text =
      list !== undefined
        ? this.#enclose(
            '[]',
            list.map((item) => this.write(item, inner)),
            newline,
          )
        : this.#dict(value, newline, inner);
    this.#rendering.leave();
    return text;
  }

  #dict(value: Value, newline: string, inner: string): string {
    if (!isDict(value)) throw typeError(`Object of type ${typeName(value)} is not JSON serializable`);
    const entries = Array.from(
      this.#pairs(value),
      ([key, entry]) => this.#text(keyText(key)) + this.#style.keySeparator + this.write(entry, inner),
    );
    return this.#enclose('{}', entries, newline);
  }

  #pairs(dict: AnyDict): Iterable<readonly [Value, Value]> {
    if (!this.#style.sortKeys) return dictPairs(dict);
    const pairs = Array.from(dictPairs(dict), (pair) => new Tuple(pair));
    const sorted = sortedBy(this.#rendering, pairs, (pair) => (pair as Tuple).items[0]!, false);
    return sorted.map((pair) => (pair as Tuple).items as readonly [Value, Value]);
  }

  #enclose(brackets: string, parts: readonly string[], newline: string): string {
    const { indent, itemSeparator } = this.#style;
    if (parts.length === 0) return brackets;
    this.#rendering.spend(parts.length * 8);
    const inner = indent === undefined ? '' : newline + indent;
    const length = parts.reduce((sum, part) => sum + part.length + itemSeparator.length + inner.length, 0);
    this.#rendering.join(length);
    const between = itemSeparator + inner;
    return `${brackets[0]}${inner}${parts.join(between)}${indent === undefined ? '' : newline}${brackets[1]}`;
  }

  #text(text: string): string {
    this.#rendering.make(text.length);
    if (this.#style.asciiOnly) return JSON.stringify(text).replaceAll(/[^ -~]/g, escapeUnit);
    // JavaScript escapes half characters, Python does not.
    return isSimple(text) ? JSON.stringify(text) : stringifyPairs(text);
  }
}

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

const stringifyPairs = (text: string): string =>
  `"${Array.from(text, (character) => (character > '\x7f' ? character : JSON.stringify(character).slice(1, -1))).join('')}"`;

function floatText(value: number): string {
  if (Number.isFinite(value)) return reprFloat(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

function keyText(key: Value): string {
  const text = asText(key);
  if (text !== undefined) return text;
  if (key === null) return 'null';
  if (typeof key === 'boolean') return key ? 'true' : 'false';
  const number = numberOf(key);
  if (number === undefined)
    throw typeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
  return number.isFloat ? floatText(number.value) : reprInteger(BigInt(number.value));
}
