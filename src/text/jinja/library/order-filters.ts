/** Filters that compare items: sort, unique, min, max, groupby. */
import { PythonError } from '../python-error.js';
import { native } from '../values/arguments.js';
import type { Functions, Rendering, TemplateFunction } from '../values/callable.js';
import { equals, isOrdered, sortedBy } from '../values/compare.js';
import { dictPairs, hashKey, isDict } from '../values/dict.js';
import { isTrue, itemsOf, listOf } from '../values/iterate.js';
import { asText, OneWayIterator, Tuple, typeName, Undefined, type Value } from '../values/value.js';
import { attributeGetter, attributesGetter, caseOption, ignoreCase } from './attribute-getter.js';

/** One group of `groupby`: a tuple whose parts have names. */
class Group extends Tuple {
  override readonly typeName = '_GroupTuple';

  override get qualifiedTypeName(): string {
    return 'jinja2.filters._GroupTuple';
  }

  override attribute(name: string): Value | undefined {
    return name === 'grouper' ? this.items[0] : name === 'list' ? this.items[1] : undefined;
  }
}

const sort = native<[Value, Value, Value, Value]>(
  'sort',
  ['value', ['reverse', false], ['case_sensitive', false], ['attribute', null]],
  (rendering, [value, isReversed, isCaseSensitive, attribute]) => {
    const finish = isTrue(isCaseSensitive) ? (item: Value) => item : ignoreCase;
    const keyOf = attributesGetter(rendering, attribute, finish);
    return sortedBy(rendering, listOf(rendering, value), keyOf, isTrue(isReversed));
  },
);

const dictsort = native<[Value, Value, Value, Value]>(
  'dictsort',
  ['value', ['case_sensitive', false], ['by', 'key'], ['reverse', false]],
  (rendering, [dict, isCaseSensitive, by, isReversed]) => {
    const position = ['key', 'value'].indexOf(asText(by) ?? '');
    if (position < 0)
      throw new PythonError('FilterArgumentError', 'You can only sort by either "key" or "value"');
    if (dict instanceof Undefined) dict.fail();
    if (!isDict(dict))
      throw new PythonError('AttributeError', `'${typeName(dict)}' object has no attribute 'items'`);
    const pairs = Array.from(dictPairs(dict), (pair) => new Tuple(pair));
    rendering.spend(pairs.length * 4);
    const keyOf = (pair: Value): Value => {
      const part = (pair as Tuple).items[position]!;
      return isTrue(isCaseSensitive) ? part : ignoreCase(part);
    };
    return sortedBy(rendering, pairs, keyOf, isTrue(isReversed));
  },
);

const unique = native<[Value, Value, Value]>(
  'unique',
  ['value', ['case_sensitive', false], ['attribute', null]],
  (rendering, [value, isCaseSensitive, attribute]) => {
    const get = attributeGetter(rendering, attribute, caseOption(isTrue(isCaseSensitive)));
    return new OneWayIterator(uniqueItems(rendering, value, get));
  },
);

function* uniqueItems(rendering: Rendering, value: Value, get: (item: Value) => Value): Generator<Value> {
  const seen = new Set();
  for (const item of itemsOf(rendering, value)) {
    const key = hashKey(rendering, get(item));
    if (!seen.has(key)) yield item;
    seen.add(key);
  }
}

const extreme = (name: string, operator: '<' | '>'): TemplateFunction =>
  native<[Value, Value, Value]>(
    name,
    ['value', ['case_sensitive', false], ['attribute', null]],
    (rendering, [value, isCaseSensitive, attribute]) => {
      const get = attributeGetter(rendering, attribute, caseOption(isTrue(isCaseSensitive)));
      let best: { readonly item: Value; readonly key: Value } | undefined;
      for (const item of itemsOf(rendering, value)) {
        const key = get(item);
        if (best === undefined || isOrdered(rendering, key, best.key, operator)) best = { item, key };
      }
      return best === undefined ? new Undefined(() => 'No aggregated item, sequence was empty.') : best.item;
    },
  );

const groupby = native<[Value, Value, Value, Value]>(
  'groupby',
  ['value', 'attribute', ['default', null], ['case_sensitive', false]],
  (rendering, [value, attribute, byDefault, isCaseSensitive]) => {
    const getKey = attributeGetter(rendering, attribute, {
      byDefault,
      ...caseOption(isTrue(isCaseSensitive)),
    });
    const getName = attributeGetter(rendering, attribute, { byDefault });
    const groups: { readonly key: Value; readonly items: Value[] }[] = [];
    for (const item of sortedBy(rendering, listOf(rendering, value), getKey, false)) {
      const key = getKey(item);
      const group = groups.at(-1);
      if (group !== undefined && equals(rendering, group.key, key)) group.items.push(item);
      else groups.push({ key, items: [item] });
    }
    return groups.map(({ items }) => new Group([getName(items[0]!), items]));
  },
);

export const ORDER_FILTERS: Functions = new Map([
  ['dictsort', dictsort],
  ['groupby', groupby],
  ['max', extreme('max', '>')],
  ['min', extreme('min', '<')],
  ['sort', sort],
  ['unique', unique],
]);
