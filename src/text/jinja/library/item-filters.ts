/** Filters over items: first, join, sum, batch, slice and their kin. */
import { PythonError, typeError } from '../python-error.js';
import { native } from '../values/arguments.js';
import type { Functions, Rendering } from '../values/callable.js';
import { equals, isOrdered } from '../values/compare.js';
import { dictKeys, dictPairs, DictView, isDict } from '../values/dict.js';
import { escape } from '../values/html.js';
import { itemsOf, iterate, lengthOf, listOf, tryIterate } from '../values/iterate.js';
import { getItem } from '../values/lookup.js';
import { addValues } from '../values/operators.js';
import { str } from '../values/printing.js';
import { Range } from '../values/range.js';
import { characters } from '../values/text.js';
import {
  isList,
  Markup,
  OneWayIterator,
  asText,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from '../values/value.js';
import { attributeGetter } from './attribute-getter.js';
import { wantIndex } from './text-methods.js';

const undefinedBecause = (message: string): Undefined => new Undefined(() => message);

const first = native<[Value]>('first', ['seq'], (rendering, [items]) => {
  const next = iterate(rendering, items).next();
  return next.done === true ? undefinedBecause('No first item, sequence was empty.') : next.value;
});

const last = native<[Value]>('last', ['seq'], (rendering, [value]) => {
  const items = reversible(rendering, value);
  if (items === undefined) throw typeError(`'${typeName(value)}' object is not reversible`);
  const item = items.at(-1);
  return item === undefined ? undefinedBecause('No last item, sequence was empty.') : item;
});

/** Items of what Python can walk backwards. */
function reversible(rendering: Rendering, value: Value): readonly Value[] | undefined {
  const text = asText(value);
  if (text !== undefined) {
    rendering.makeItems(text.length);
    return characters(text);
  }
  const isReversible =
    isList(value) ||
    value instanceof Tuple ||
    value instanceof Range ||
    value instanceof DictView ||
    value instanceof Undefined;
  if (isDict(value)) return dictKeys(value);
  return isReversible ? listOf(rendering, value) : undefined;
}

const REVERSED_TYPES: Readonly<Record<string, string>> = {
  list: 'list_reverseiterator',
  dict: 'dict_reversekeyiterator',
  range: 'range_iterator',
};

const reverse = native<[Value]>('reverse', ['value'], (rendering, [value]) => {
  const text = asText(value);
  if (text !== undefined) {
    rendering.makeItems(text.length);
    const reversed = characters(text).toReversed().join('');
    return value instanceof Markup ? new Markup(reversed) : reversed;
  }
  const items = reversible(rendering, value);
  if (items !== undefined)
    return new OneWayIterator(items.toReversed().values(), REVERSED_TYPES[typeName(value)] ?? 'reversed');
  if (tryIterate(rendering, value) === undefined)
    throw new PythonError('FilterArgumentError', 'argument must be iterable');
  return listOf(rendering, value).toReversed();
});

const join = native<[Value, Value, Value]>(
  'join',
  ['value', ['d', ''], ['attribute', null]],
  (rendering, [value, separator, attribute]) => {
    const get = attributeGetter(rendering, attribute);
    const items = [...itemsOf(rendering, value)].map(get);
    if (!rendering.autoescape) return joined(rendering, items, separator);
    const isSafe = [separator, ...items].some((item) => item instanceof Markup);
    if (!isSafe) return joined(rendering, items, separator);
    return new Markup(
      joined(
        rendering,
        items.map((item) => escape(rendering, item)),
        escape(rendering, separator),
      ),
    );
  },
);

function joined(rendering: Rendering, items: readonly Value[], separator: Value): string {
  const texts = items.map((item) => str(rendering, item));
  const between = str(rendering, separator);
  rendering.make(texts.reduce((sum, text) => sum + text.length + between.length, 0));
  return texts.join(between);
}

const sum = native<[Value, Value, Value]>(
  'sum',
  ['iterable', ['attribute', null], ['start', 0]],
  (rendering, [items, attribute, start]) => {
    if (asText(start) !== undefined) throw typeError("sum() can't sum strings [use ''.join(seq) instead]");
    const get = attributeGetter(rendering, attribute);
    let total = start;
    for (const item of itemsOf(rendering, items)) total = addValues(rendering, total, get(item));
    return total;
  },
);

const batch = native<[Value, Value, Value]>(
  'batch',
  ['value', 'linecount', ['fill_with', null]],
  (rendering, [value, count, fill]) => new OneWayIterator(batches(rendering, value, [count, fill])),
);

function* batches(
  rendering: Rendering,
  value: Value,
  [count, fill]: readonly [Value, Value],
): Generator<Value> {
  let row: Value[] = [];
  for (const item of itemsOf(rendering, value)) {
    if (equals(rendering, row.length, count)) {
      yield row;
      row = [];
    }
    row.push(item);
  }
  if (row.length === 0) return;
  if (fill === null || !isOrdered(rendering, row.length, count, '<')) return yield row;
  const missing = wantIndex(count) - row.length;
  rendering.makeItems(missing);
  yield [...row, ...Array.from({ length: missing }, () => fill)];
}

const slice = native<[Value, Value, Value]>(
  'slice',
  ['value', 'slices', ['fill_with', null]],
  (rendering, [value, count, fill]) => new OneWayIterator(slices(rendering, value, [count, fill])),
);

/** Columns of nearly equal length; the first ones are longer. */
function* slices(
  rendering: Rendering,
  value: Value,
  [given, fill]: readonly [Value, Value],
): Generator<Value> {
  const items = listOf(rendering, value);
  const count = wantIndex(given);
  if (count === 0) throw new PythonError('ZeroDivisionError', 'integer division or modulo by zero');
  const perSlice = Math.floor(items.length / count);
  const longer = items.length - perSlice * count;
  let start = 0;
  for (let i = 0; i < count; i++) {
    rendering.spend(1);
    const end = start + perSlice + (i < longer ? 1 : 0);
    const column = items.slice(start, end);
    yield fill !== null && i >= longer ? [...column, fill] : column;
    start = end;
  }
}

const items = native<[Value]>('items', ['value'], (_, [value]) => new OneWayIterator(pairsOf(value)));

function* pairsOf(value: Value): Generator<Value> {
  if (value instanceof Undefined) return;
  if (!isDict(value)) throw typeError('Can only get item pairs from a mapping.');
  for (const pair of dictPairs(value)) yield new Tuple(pair);
}

const random = native<[Value]>('random', ['seq'], (rendering, [value]) => {
  const length = lengthOf(rendering, value);
  if (length === 0) return undefinedBecause('No random item, sequence was empty.');
  return getItem(rendering, value, Math.floor(Math.random() * length));
});

const length = native<[Value]>('length', ['obj'], (rendering, [value]) => lengthOf(rendering, value));

export const ITEM_FILTERS: Functions = new Map([
  ['batch', batch],
  ['count', length],
  ['first', first],
  ['items', items],
  ['join', join],
  ['last', last],
  ['length', length],
  ['list', native<[Value]>('list', ['value'], (rendering, [value]) => listOf(rendering, value))],
  ['random', random],
  ['reverse', reverse],
  ['slice', slice],
  ['sum', sum],
]);
