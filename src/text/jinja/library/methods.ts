/** Methods of all types, by the name of the type. The first positional argument of each is the object. */
import { type FormatField, formatBraces } from '../format/braces.js';
import { formatSpec } from '../format/spec.js';
import { PythonError, typeError, valueError } from '../python-error.js';
import { native, type Parameter } from '../values/arguments.js';
import {
  type CallArguments,
  type Functions,
  type Rendering,
  type TemplateFunction,
} from '../values/callable.js';
import { type AnyDict, Dict, dictGet, dictPairs, DictView, isDict } from '../values/dict.js';
import { escape, escapeHtml } from '../values/html.js';
import { equals } from '../values/compare.js';
import { itemsOf, listOf } from '../values/iterate.js';
import { bitLength, exactRatio, floatOf, integer, numberOf } from '../values/numbers.js';
import { repr } from '../values/printing.js';
import { isList, Markup, asText, Tuple, typeName, type Value } from '../values/value.js';
import { TEXT_CHANGES, TEXT_QUESTIONS, wantIndex } from './text-methods.js';

const dictMethod = (
  name: string,
  parameters: readonly Parameter[],
  run: (dict: AnyDict, rendering: Rendering, args: readonly Value[]) => Value,
): readonly [string, TemplateFunction] => [
  name,
  native<readonly [Value, ...Value[]]>(name, ['self', ...parameters], (rendering, [self, ...rest]) =>
    run(self as AnyDict, rendering, rest),
  ),
];

const DICT_METHODS: Functions = new Map([
  dictMethod('get', ['key', ['default', null]], (dict, rendering, [key, byDefault]) => {
    const value = dictGet(rendering, dict, key!);
    return value === undefined ? byDefault! : value;
  }),
  dictMethod('items', [], (dict) => new DictView(dict, 'items')),
  dictMethod('keys', [], (dict) => new DictView(dict, 'keys')),
  dictMethod('values', [], (dict) => new DictView(dict, 'values')),
  dictMethod('copy', [], (dict, rendering) => Dict.of(rendering, dictPairs(dict))),
  [
    'fromkeys',
    native<[Value, Value, Value]>(
      'fromkeys',
      ['self', 'iterable', ['value', null]],
      (rendering, [, keys, value]) =>
        Dict.of(
          rendering,
          Array.from(itemsOf(rendering, keys), (key) => [key, value] as const),
        ),
    ),
  ],
]);

/** index, count and, for lists, copy. */
const SEQUENCE_METHODS: Functions = new Map([
  [
    'count',
    native<[Value, Value]>('count', ['self', 'value'], (rendering, [self, value]) => {
      let count = 0;
      for (const item of itemsOf(rendering, self)) if (equals(rendering, item, value)) count++;
      return count;
    }),
  ],
  [
    'index',
    native<[Value, Value, Value, Value]>(
      'index',
      ['self', 'value', ['start', 0], ['stop', Number.MAX_SAFE_INTEGER]],
      (rendering, [self, value, first, last]) => {
        const items = listOf(rendering, self);
        const [start, stop] = [first, last].map((bound) => {
          const index = wantIndex(bound);
          return index < 0 ? Math.max(0, index + items.length) : index;
        }) as [number, number];
        for (let i = start; i < Math.min(stop, items.length); i++)
          if (equals(rendering, items[i]!, value)) return i;
        throw valueError(
          `${isList(self) ? repr(rendering, value) : 'tuple.index(x): x'} is not in ${typeName(self)}`,
        );
      },
    ),
  ],
]);

const LIST_METHODS: Functions = new Map([
  ...SEQUENCE_METHODS,
  ['copy', native<[Value]>('copy', ['self'], (rendering, [self]) => [...listOf(rendering, self)])],
]);

const numberMethod = (name: string, run: (value: Value) => Value): readonly [string, TemplateFunction] => [
  name,
  native<[Value]>(name, ['self'], (_, [self]) => run(self)),
];

const intOf = (value: Value): bigint => BigInt(numberOf(value)!.value);
const floatValue = (value: Value): number => floatOf(numberOf(value)!);

const INT_METHODS: Functions = new Map([
  numberMethod('bit_length', (value) => bitLength(intOf(value))),
  numberMethod('bit_count', (value) => intOf(value).toString(2).replaceAll(/[^1]/g, '').length),
  numberMethod('conjugate', (value) => integer(intOf(value))),
  numberMethod('as_integer_ratio', (value) => new Tuple([integer(intOf(value)), 1])),
]);

const FLOAT_METHODS: Functions = new Map([
  numberMethod('is_integer', (value) => Number.isInteger(floatValue(value))),
  numberMethod('conjugate', (value) => value),
  numberMethod('as_integer_ratio', (value) => {
    if (!Number.isFinite(floatValue(value)))
      throw new PythonError('OverflowError', 'cannot convert Infinity to integer ratio');
    return reduced(exactRatio(floatValue(value)));
  }),
]);

function reduced({ numerator, denominator }: { numerator: bigint; denominator: bigint }): Tuple {
  let [top, bottom] = [numerator, denominator];
  while (top % 2n === 0n && bottom % 2n === 0n && bottom > 1n) [top, bottom] = [top / 2n, bottom / 2n];
  return new Tuple([integer(top), integer(bottom)]);
}

/** `format` and `format_map` of a text. */
function formatters(
  wrap: (text: string) => Value,
  formatField?: FormatField,
): (readonly [string, TemplateFunction])[] {
  const format: TemplateFunction = (rendering, { positional: [self, ...positional], named }) =>
    wrap(formatBraces(rendering, asText(self!) ?? '', { positional, named }, formatField));
  const formatMap: TemplateFunction = (rendering, { positional: [self, mapping, ...rest], named }) => {
    if (named.size > 0) throw typeError('format_map() takes no keyword arguments');
    if (mapping === undefined || rest.length > 0)
      throw typeError(`format_map() takes exactly one argument (${mapping ? rest.length + 1 : 0} given)`);
    const given: CallArguments = { positional: [], named: namesOf(rendering, mapping) };
    return wrap(formatBraces(rendering, asText(self!) ?? '', given, formatField));
  };
  return [
    ['format', format],
    ['format_map', formatMap],
  ];
}

function namesOf(rendering: Rendering, mapping: Value): ReadonlyMap<string, Value> {
  if (!isDict(mapping)) throw typeError(`'${typeName(mapping)}' object is not a mapping`);
  return new Map(
    Array.from(dictPairs(mapping)).flatMap(([key, value]) => {
      rendering.spend(1);
      const name = asText(key);
      return name === undefined ? [] : [[name, value] as const];
    }),
  );
}

const TEXT_METHODS: Functions = new Map([...TEXT_CHANGES, ...TEXT_QUESTIONS, ...formatters((text) => text)]);

/** Arguments that methods of safe text escape, by their positions. */
const ESCAPED_ARGUMENTS: Readonly<Record<string, number>> = {
  replace: 2,
  ljust: 2,
  rjust: 2,
  center: 2,
  join: 1,
};

/** A method of `str` on safe text: its result is safe, and so are texts that become a part of it. */
const safe =
  (name: string, run: TemplateFunction): TemplateFunction =>
  (rendering, { positional, named }) => {
    const escaped = positional.map((arg, i) => {
      if (i !== ESCAPED_ARGUMENTS[name]) return arg;
      if (name !== 'join') return escape(rendering, arg).text;
      return [...itemsOf(rendering, arg)].map((item) => escape(rendering, item).text);
    });
    return toSafe(run(rendering, { positional: escaped, named }));
  };

function toSafe(value: Value): Value {
  if (typeof value === 'string') return new Markup(value);
  if (isList(value)) return value.map(toSafe);
  return value instanceof Tuple ? new Tuple(value.items.map(toSafe)) : value;
}

const escapeField: FormatField = (rendering, value, spec) => {
  if (!(value instanceof Markup)) return escapeHtml(formatSpec(rendering, value, spec));
  if (spec !== '')
    throw valueError('Format specifier for safe text given, but it has no __html_format__ method');
  return value.text;
};

const MARKUP_METHODS: Functions = new Map([
  ...TEXT_QUESTIONS,
  ...Array.from(TEXT_CHANGES, ([name, run]) => [name, safe(name, run)] as const),
  ...formatters((text) => new Markup(text), escapeField),
]);

export const TYPE_METHODS: ReadonlyMap<string, Functions> = new Map([
  ['str', TEXT_METHODS],
  ['Markup', MARKUP_METHODS],
  ['dict', DICT_METHODS],
  ['list', LIST_METHODS],
  ['tuple', SEQUENCE_METHODS],
  ['range', SEQUENCE_METHODS],
  ['int', INT_METHODS],
  ['bool', INT_METHODS],
  ['float', FLOAT_METHODS],
]);
