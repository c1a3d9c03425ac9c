/** All filters, tests, methods and functions that templates have. */
import type { Library } from '../values/callable.js';
import { CONDITIONS } from './conditions.js';
import { GLOBALS } from './globals.js';
import { HTML_FILTERS } from './html-filters.js';
import { ITEM_FILTERS } from './item-filters.js';
import { tojson } from './json.js';
import { TYPE_METHODS } from './methods.js';
import { NUMBER_FILTERS } from './number-filters.js';
import { ORDER_FILTERS } from './order-filters.js';
import { SELECT_FILTERS } from './select-filters.js';
import { TEXT_FILTERS } from './text-filters.js';
import { native } from '../values/arguments.js';
import { isTrue } from '../values/iterate.js';
import { getPlainAttribute } from '../values/lookup.js';
import { Undefined, type Value } from '../values/value.js';
import { wantText } from './text-methods.js';

const byDefault = native<[Value, Value, Value]>(
  'default',
  ['value', ['default_value', ''], ['boolean', false]],
  (_, [value, otherwise, replacesFalse]) =>
    value instanceof Undefined || (isTrue(replacesFalse) && !isTrue(value)) ? otherwise : value,
);

const attr = native<[Value, Value]>('attr', ['obj', 'name'], (rendering, [object, name]) =>
  getPlainAttribute(rendering, object, wantText(name, 'attribute name')),
);

export const LIBRARY: Library = {
  filters: new Map([
    ...HTML_FILTERS,
    ...ITEM_FILTERS,
    ...NUMBER_FILTERS,
    ...ORDER_FILTERS,
    ...SELECT_FILTERS,
    ...TEXT_FILTERS,
    ['attr', attr],
    ['d', byDefault],
    ['default', byDefault],
    ['tojson', tojson],
  ]),
  tests: CONDITIONS,
  methods: TYPE_METHODS,
  globals: GLOBALS,
};
