/** Jinja's tests: what may stand behind `is`. */
import { native } from '../values/arguments.js';
import { Callable, type Functions, type TemplateFunction } from '../values/callable.js';
import { contains, equals, isOrdered, type Ordering } from '../values/compare.js';
import { hashKey, isDict } from '../values/dict.js';
import { sizeOf, tryIterate } from '../values/iterate.js';
import { intOf, isFloat, isNumber } from '../values/numbers.js';
import { modulo } from '../values/operators.js';
import { str } from '../values/printing.js';
import { Range } from '../values/range.js';
import { isList, Markup, asText, Tuple, Undefined, type Value } from '../values/value.js';
import { hasCase } from './letter-case.js';

type Condition = readonly [name: string, run: TemplateFunction];

const is = (name: string, test: (value: Value) => boolean): Condition => [
  name,
  native<[Value]>(name, ['value'], (_, [value]) => test(value)),
];

/** A test of a value by another one. */
const compared = (run: TemplateFunction, ...names: readonly string[]): Condition[] =>
  names.map((name) => [name, run] as const);

const ordered = (operator: Ordering): TemplateFunction =>
  native<[Value, Value]>(operator, ['a', 'b'], (rendering, [a, b]) => isOrdered(rendering, a, b, operator));

const equal = native<[Value, Value]>('eq', ['a', 'b'], (rendering, [a, b]) => equals(rendering, a, b));
const unequal = native<[Value, Value]>('ne', ['a', 'b'], (rendering, [a, b]) => !equals(rendering, a, b));

/** Whether the remainder of a division by `divisor` is `expected`. */
const remainder = (name: string, divisor: number, expected: number): Condition => [
  name,
  native<[Value]>(name, ['value'], (rendering, [value]) =>
    equals(rendering, modulo(rendering, value, divisor), expected),
  ),
];

const divisibleBy = native<[Value, Value]>('divisibleby', ['value', 'num'], (rendering, [value, divisor]) =>
  equals(rendering, modulo(rendering, value, divisor), 0),
);

const isSequence = (value: Value): boolean =>
  asText(value) !== undefined ||
  isList(value) ||
  isDict(value) ||
  value instanceof Tuple ||
  value instanceof Range ||
  value instanceof Undefined;

const isInteger = (value: Value): boolean => typeof value !== 'boolean' && intOf(value) !== undefined;

const iterable = native<[Value]>(
  'iterable',
  ['value'],
  (rendering, [value]) =>
    sizeOf(rendering, value) !== undefined || tryIterate(rendering, value) !== undefined,
);

const cased = (name: 'lower' | 'upper'): Condition => [
  name,
  native<[Value]>(name, ['value'], (rendering, [value]) => {
    const text = str(rendering, value);
    rendering.read(text.length);
    return hasCase(text, name);
  }),
];

/** Whether the environment has a filter or a test of that name. */
const known = (name: string, table: 'filters' | 'tests'): Condition => [
  name,
  native<[Value]>(name, ['value'], (rendering, [value]) => {
    hashKey(rendering, value);
    return rendering.library[table].has(asText(value) ?? '');
  }),
];

export const CONDITIONS: Functions = new Map([
  remainder('odd', 2, 1),
  remainder('even', 2, 0),
  ['divisibleby', divisibleBy],
  is('defined', (value) => !(value instanceof Undefined)),
  is('undefined', (value) => value instanceof Undefined),
  known('filter', 'filters'),
  known('test', 'tests'),
  is('none', (value) => value === null),
  is('boolean', (value) => typeof value === 'boolean'),
  is('false', (value) => value === false),
  is('true', (value) => value === true),
  is('integer', isInteger),
  is('float', isFloat),
  cased('lower'),
  cased('upper'),
  is('string', (value) => asText(value) !== undefined),
  is('mapping', isDict),
  is('number', isNumber),
  is('sequence', isSequence),
  ['iterable', iterable],
  is('callable', (value) => value instanceof Callable || value instanceof Undefined),
  ['sameas', native<[Value, Value]>('sameas', ['value', 'other'], (_, [value, other]) => value === other)],
  is('escaped', (value) => value instanceof Markup),
  [
    'in',
    native<[Value, Value]>('in', ['value', 'seq'], (rendering, [value, container]) =>
      contains(rendering, container, value),
    ),
  ],
  ...compared(equal, '==', 'eq', 'equalto'),
  ...compared(unequal, '!=', 'ne'),
  ...compared(ordered('>'), '>', 'gt', 'greaterthan'),
  ...compared(ordered('>='), '>=', 'ge'),
  ...compared(ordered('<'), '<', 'lt', 'lessthan'),
  ...compared(ordered('<='), '<=', 'le'),
]);
