/** Functions that every template sees: Jinja's, and those that transformers adds. */
import { PythonError, typeError } from '../python-error.js';
import { native } from '../values/arguments.js';
import type { CallArguments, Rendering, TemplateFunction } from '../values/callable.js';
import { intOf } from '../values/numbers.js';
import { BoundFunction, Cycler, Joiner, makeDict, Namespace } from '../values/objects.js';
import { str } from '../values/printing.js';
import { Range } from '../values/range.js';
import { typeName, type Value } from '../values/value.js';
import { strftime } from './strftime.js';
import { wantText } from './text-methods.js';

const raiseException = native<[Value]>('raise_exception', ['message'], (rendering, [message]) => {
  throw new PythonError('TemplateError', str(rendering, message));
});

const strftimeNow = native<[Value]>('strftime_now', ['format'], (rendering, [format]) =>
  strftime(rendering.now(), counted(rendering, wantText(format, 'strftime() argument 1'))),
);

/** The longest directive makes 24 characters of two. */
function counted(rendering: Rendering, format: string): string {
  rendering.walk(format.length);
  rendering.make(format.length * 12);
  return format;
}

function makeRange({ positional, named }: CallArguments): Range {
  if (named.size > 0) throw typeError('range() takes no keyword arguments');
  if (positional.length < 1 || positional.length > 3)
    throw typeError(`range expected 1 to 3 arguments, got ${positional.length}`);
  const bounds = positional.map((bound) => {
    const int = intOf(bound);
    if (int === undefined) throw typeError(`'${typeName(bound)}' object cannot be interpreted as an integer`);
    return Number(int);
  });
  const [first, second, step] = bounds;
  return second === undefined ? new Range(0, first!, 1) : new Range(first!, second, step ?? 1);
}

const joiner = native<[Value]>('joiner', [['sep', ', ']], (_, [separator]) => new Joiner(separator));

const constructorOf = (name: string, run: TemplateFunction): BoundFunction =>
  new BoundFunction(name, run, 'type');

export const GLOBALS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['range', new BoundFunction('safe_range', (_, given) => makeRange(given), 'function')],
  ['dict', constructorOf('dict', makeDict)],
  [
    'namespace',
    constructorOf('jinja2.utils.Namespace', (rendering, given) => new Namespace(makeDict(rendering, given))),
  ],
  ['cycler', constructorOf('jinja2.utils.Cycler', (_, { positional }) => new Cycler(positional))],
  ['joiner', constructorOf('jinja2.utils.Joiner', joiner)],
  ['raise_exception', new BoundFunction('raise_exception', raiseException, 'function')],
  ['strftime_now', new BoundFunction('strftime_now', strftimeNow, 'function')],
]);
