/** `a.b`, `a['b']`, `a[1:2]` and calls, as Jinja's immutable sandbox does them. */
import { PythonError, typeError } from '../python-error.js';
import { Callable, type CallArguments, type TemplateFunction, type Rendering } from './callable.js';
import { dictGet, isDict, isUnhashable } from './dict.js';
import { isInternalAttribute } from './internal-attributes.js';
import { indexOf, numberOf } from './numbers.js';
import { repr } from './printing.js';
import { Range } from './range.js';
import { characters, isSimple } from './text.js';
import {
  ADDRESS,
  isList,
  Markup,
  PythonObject,
  asText,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './value.js';

/** Methods that change their object, by its type. The sandbox has them, but does not let them be used. */
const MUTATORS: Readonly<Record<string, readonly string[]>> = {
  list: ['append', 'clear', 'extend', 'insert', 'pop', 'remove', 'reverse', 'sort'],
  dict: ['clear', 'pop', 'popitem', 'setdefault', 'update'],
};

class BoundMethod extends Callable {
  readonly typeName = 'builtin_function_or_method';
  readonly #self: Value;
  readonly #name: string;
  readonly #method: TemplateFunction;

  constructor(self: Value, name: string, method: TemplateFunction) {
    super();
    this.#self = self;
    this.#name = name;
    this.#method = method;
  }

  override call(rendering: Rendering, { positional, named }: CallArguments): Value {
    return this.#method(rendering, { positional: [this.#self, ...positional], named });
  }

  override repr(): string {
    return `<built-in method ${this.#name} of ${typeName(this.#self)} object at ${ADDRESS}>`;
  }
}

/** `object.name`: an attribute, else an item, else undefined. @throws {PythonError} for undefined objects */
export function getAttribute(rendering: Rendering, object: Value, name: string): Value {
  // None is a value: `??` would pass over it.
  const attribute = attributeOf(rendering, object, name);
  if (attribute !== undefined) return attribute;
  const item = itemOf(rendering, object, name);
  return item === undefined ? missing(rendering, object, name) : item;
}

/** `object[key]`: an item, else an attribute, else undefined. @throws {PythonError} for undefined objects */
export function getItem(rendering: Rendering, object: Value, key: Value): Value {
  const item = itemOf(rendering, object, key);
  if (item !== undefined) return item;
  const name = asText(key);
  const attribute = name === undefined ? undefined : attributeOf(rendering, object, name);
  return attribute === undefined ? missing(rendering, object, key) : attribute;
}

/** `object.name` without items. */
export function getPlainAttribute(rendering: Rendering, object: Value, name: string): Value {
  const attribute = attributeOf(rendering, object, name);
  return attribute === undefined ? missing(rendering, object, name) : attribute;
}

const methodOf = (rendering: Rendering, object: Value, name: string): TemplateFunction | undefined =>
  rendering.library.methods.get(typeName(object))?.get(name);

function attributeOf(rendering: Rendering, object: Value, name: string): Value | undefined {
  const method = methodOf(rendering, object, name);
  if (method !== undefined) return new BoundMethod(object, name, method);
  const own = object instanceof PythonObject ? object.attribute(name) : undefined;
  if (own !== undefined) return own;
  if (isInternalAttribute(typeName(object), name) || MUTATORS[typeName(object)]?.includes(name))
    return new Undefined(
      () => `access to attribute '${name}' of '${typeName(object)}' object is unsafe.`,
      'SecurityError',
    );
  if (object instanceof Undefined) object.fail();
  return numberAttribute(object, name);
}

function numberAttribute(object: Value, name: string): Value | undefined {
  const number = numberOf(object);
  if (number === undefined) return undefined;
  if (name === 'real') return typeof object === 'boolean' ? Number(object) : object;
  if (name === 'imag') return 0;
  if (number.isFloat) return undefined;
  return name === 'numerator' ? number.value : name === 'denominator' ? 1 : undefined;
}

/** An item, or undefined where Python raises a TypeError or a LookupError. */
function itemOf(rendering: Rendering, object: Value, key: Value): Value | undefined {
  if (isDict(object)) return isUnhashable(key) ? undefined : dictGet(rendering, object, key);
  if (object instanceof Undefined) object.fail();
  const index = indexOf(key);
  if (index === undefined) return undefined;
  if (isList(object)) return object.at(index);
  if (object instanceof Tuple) return object.items.at(index);
  const text = asText(object);
  if (text !== undefined) {
    const character = characterAt(rendering, text, index);
    return object instanceof Markup && character !== undefined ? new Markup(character) : character;
  }
  if (!(object instanceof Range)) return undefined;
  const position = index < 0 ? index + object.size : index;
  return position >= 0 && position < object.size ? object.at(position) : undefined;
}

/** Looks at the part of the text that can hold the character, which has two units at most. */
function characterAt(rendering: Rendering, text: string, index: number): string | undefined {
  const part = index < 0 ? text.slice(Math.max(0, text.length + index * 2)) : text.slice(0, index * 2 + 2);
  rendering.read(part.length);
  if (isSimple(part)) return text.at(index);
  rendering.spend(part.length);
  return characters(part).at(index);
}

function missing(rendering: Rendering, object: Value, name: Value): Undefined {
  return new Undefined(() => {
    const label = typeLabel(object);
    return asText(name) !== undefined
      ? `'${label}' has no attribute ${repr(rendering, name)}`
      : `${label} has no element ${repr(rendering, name)}`;
  });
}

/** A type as messages about lookups name it. */
function typeLabel(object: Value): string {
  if (object === null) return 'None';
  return `${object instanceof PythonObject ? object.qualifiedTypeName : typeName(object)} object`;
}

/** @throws {PythonError} TypeError for what is no function, and what the function raises */
export function callValue(rendering: Rendering, callee: Value, given: CallArguments): Value {
  if (callee instanceof Callable) return callee.call(rendering, given);
  if (callee instanceof Undefined) callee.fail();
  throw typeError(`'${typeName(callee)}' object is not callable`);
}

/** `object.name(...)` without an object for the method in between. */
export function callMethod(rendering: Rendering, object: Value, name: string, given: CallArguments): Value {
  const method = methodOf(rendering, object, name);
  if (method === undefined) return callValue(rendering, getAttribute(rendering, object, name), given);
  return method(rendering, { positional: [object, ...given.positional], named: given.named });
}

export interface SliceBounds {
  readonly start: Value;
  readonly stop: Value;
  readonly step: Value;
}

/** `object[start:stop:step]`; None stands for a bound that is not given. @throws {PythonError} */
export function slice(rendering: Rendering, object: Value, bounds: SliceBounds): Value {
  if (object instanceof Undefined) object.fail();
  const text = asText(object);
  if (text !== undefined) {
    const sliced = sliceText(rendering, text, bounds);
    return typeof object === 'string' ? sliced : new Markup(sliced);
  }
  if (isList(object)) return pick(rendering, object, bounds);
  if (object instanceof Tuple) return new Tuple(pick(rendering, object.items, bounds));
  if (object instanceof Range) return sliceRange(object, bounds);
  if (isDict(object)) throw typeError("unhashable type: 'slice'");
  throw typeError(`'${typeName(object)}' object is not subscriptable`);
}

function sliceText(rendering: Rendering, text: string, bounds: SliceBounds): string {
  rendering.read(text.length);
  const isPlain = isSimple(text);
  if (!isPlain) rendering.spend(text.length);
  const points = isPlain ? [] : characters(text);
  const { start, stop, step } = resolve(bounds, isPlain ? text.length : points.length);
  if (isPlain && step === 1) return start < stop ? text.slice(start, stop) : '';
  return pick(rendering, isPlain ? text.split('') : points, bounds).join('');
}

function sliceRange(range: Range, bounds: SliceBounds): Range {
  const { start, stop, step } = resolve(bounds, range.size);
  const first = range.start + start * range.step;
  return new Range(first, range.start + stop * range.step, step * range.step);
}

function pick<Item>(rendering: Rendering, items: readonly Item[], bounds: SliceBounds): Item[] {
  const { start, stop, step } = resolve(bounds, items.length);
  if (step === 1) {
    rendering.makeItems(Math.max(0, stop - start));
    return start < stop ? items.slice(start, stop) : [];
  }
  const picked: Item[] = [];
  rendering.makeItems(Math.max(0, Math.ceil((stop - start) / step)));
  for (let i = start; step > 0 ? i < stop : i > stop; i += step) picked.push(items[i]!);
  return picked;
}

/** Bounds within the length, as Python cuts them. */
function resolve(bounds: SliceBounds, length: number) {
  const step = boundOf(bounds.step) ?? 1;
  if (step === 0) throw new PythonError('ValueError', 'slice step cannot be zero');
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const clamp = (value: number): number => Math.min(high, Math.max(low, value < 0 ? value + length : value));
  const start = boundOf(bounds.start);
  const stop = boundOf(bounds.stop);
  return {
    start: start === undefined ? (step > 0 ? low : high) : clamp(start),
    stop: stop === undefined ? (step > 0 ? high : low) : clamp(stop),
    step,
  };
}

function boundOf(value: Value): number | undefined {
  if (value === null) return undefined;
  const index = indexOf(value);
  if (index === undefined)
    throw typeError('slice indices must be integers or None or have an __index__ method');
  return index;
}
