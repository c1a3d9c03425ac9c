/** map, select, reject, selectattr, rejectattr: filters that take the name of a filter or test. */
import { PythonError } from '../python-error.js';
import type { CallArguments, Functions, TemplateFunction, Rendering } from '../values/callable.js';
import { hashKey } from '../values/dict.js';
import { isTrue, itemsOf } from '../values/iterate.js';
import { repr } from '../values/printing.js';
import { OneWayIterator, asText, Undefined, type Value } from '../values/value.js';
import { attributeGetter, type Getter } from './attribute-getter.js';

/** The filter or test of that name. @throws {PythonError} TemplateRuntimeError */
function named(rendering: Rendering, kind: 'filter' | 'test', name: Value): TemplateFunction {
  hashKey(rendering, name);
  const table = kind === 'filter' ? rendering.library.filters : rendering.library.tests;
  const found = table.get(asText(name) ?? '');
  if (found !== undefined) return found;
  const hint =
    name instanceof Undefined ? ` (${name.message}; did you forget to quote the callable name?)` : '';
  throw new PythonError('TemplateRuntimeError', `No ${kind} named ${repr(rendering, name)}.${hint}`);
}

/** Calls a filter or test with the item and further arguments. */
const applied =
  (
    rendering: Rendering,
    run: () => TemplateFunction,
    { positional, named: keywords }: CallArguments,
  ): Getter =>
  (item) =>
    run()(rendering, { positional: [item, ...positional], named: keywords });

const map: TemplateFunction = (rendering, { positional: [value, ...rest], named: keywords }) =>
  new OneWayIterator(mapped(rendering, value!, { positional: rest, named: keywords }));

function* mapped(rendering: Rendering, value: Value, given: CallArguments): Generator<Value> {
  if (!isTrue(value)) return;
  const change = mapper(rendering, given);
  for (const item of itemsOf(rendering, value)) yield change(item);
}

function mapper(rendering: Rendering, { positional, named: keywords }: CallArguments): Getter {
  const attribute = keywords.get('attribute');
  if (positional.length === 0 && attribute !== undefined) {
    const unknown = [...keywords.keys()].find((key) => key !== 'attribute' && key !== 'default');
    if (unknown !== undefined)
      throw new PythonError('FilterArgumentError', `Unexpected keyword argument '${unknown}'`);
    return attributeGetter(rendering, attribute, { byDefault: keywords.get('default') ?? null });
  }
  const [name, ...rest] = positional;
  if (name === undefined) throw new PythonError('FilterArgumentError', 'map requires a filter argument');
  return applied(rendering, () => named(rendering, 'filter', name), { positional: rest, named: keywords });
}

interface Selection {
  readonly byAttribute: boolean;
  /** The truth of the test that keeps an item. */
  readonly keeps: boolean;
}

const select =
  (selection: Selection): TemplateFunction =>
  (rendering, { positional: [value, ...rest], named: keywords }) =>
    new OneWayIterator(selected(rendering, value!, { positional: rest, named: keywords }, selection));

function* selected(
  rendering: Rendering,
  value: Value,
  { positional, named: keywords }: CallArguments,
  { byAttribute, keeps }: Selection,
): Generator<Value> {
  if (!isTrue(value)) return;
  const attribute = byAttribute ? positional[0] : null;
  if (attribute === undefined)
    throw new PythonError('FilterArgumentError', 'Missing parameter for attribute name');
  const get = attributeGetter(rendering, attribute);
  const [name, ...rest] = byAttribute ? positional.slice(1) : positional;
  const test: Getter =
    name === undefined
      ? (item) => item
      : applied(rendering, () => named(rendering, 'test', name), { positional: rest, named: keywords });
  for (const item of itemsOf(rendering, value)) if (isTrue(test(get(item))) === keeps) yield item;
}

export const SELECT_FILTERS: Functions = new Map([
  ['map', map],
  ['select', select({ byAttribute: false, keeps: true })],
  ['reject', select({ byAttribute: false, keeps: false })],
  ['selectattr', select({ byAttribute: true, keeps: true })],
  ['rejectattr', select({ byAttribute: true, keeps: false })],
]);
