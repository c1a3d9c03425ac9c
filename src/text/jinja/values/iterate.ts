/** Truth, length and items of values. */
import { typeError } from '../python-error.js';
import type { Rendering } from './callable.js';
import { dictKeys, dictSize, DictView, isDict } from './dict.js';
import { isList, type JsonRecord, PythonObject, asText, typeName, type Value } from './value.js';
import { characters, isSimple, textLength } from './text.js';

export function isTrue(value: Value): boolean {
  switch (typeof value) {
    case 'string':
      return value !== '';
    case 'boolean':
      return value;
    case 'number':
      return value !== 0;
    case 'bigint':
      return true; // 0 is a number
    default:
      if (value === null) return false;
      if (isList(value)) return value.length > 0;
      return value instanceof PythonObject ? value.isTrue() : hasKeys(value);
  }
}

function hasKeys(value: JsonRecord): boolean {
  for (const _ in value) return true;
  return false;
}

/** `len(value)`, or undefined for types without length. */
export function sizeOf(rendering: Rendering, value: Value): number | undefined {
  const text = asText(value);
  if (text !== undefined) {
    rendering.read(text.length * (isSimple(text) ? 1 : 8));
    return textLength(text);
  }
  if (isList(value)) return value.length;
  if (isDict(value) || value instanceof DictView) {
    const size = dictSize(value instanceof DictView ? value.dict : value);
    rendering.spend(size);
    return size;
  }
  return value instanceof PythonObject ? value.size : undefined;
}

/** @throws {PythonError} TypeError */
export function lengthOf(rendering: Rendering, value: Value): number {
  const size = sizeOf(rendering, value);
  if (size === undefined) throw typeError(`object of type '${typeName(value)}' has no len()`);
  return size;
}

/** An iterator over the items, or undefined for types without items. */
export function tryIterate(rendering: Rendering, value: Value): Iterator<Value> | undefined {
  if (isList(value)) return value.values();
  const text = asText(value);
  if (text !== undefined) {
    rendering.makeItems(text.length);
    return characters(text).values();
  }
  if (isDict(value) || value instanceof DictView) {
    rendering.makeItems(2 * dictSize(value instanceof DictView ? value.dict : value));
    return value instanceof DictView ? value.iterate() : dictKeys(value).values();
  }
  return value instanceof PythonObject ? value.iterate() : undefined;
}

/** @throws {PythonError} TypeError */
export function iterate(rendering: Rendering, value: Value): Iterator<Value> {
  const items = tryIterate(rendering, value);
  if (items === undefined) throw typeError(`'${typeName(value)}' object is not iterable`);
  return items;
}

/** Items one by one, each counted as a step. */
function* counted(rendering: Rendering, items: Iterator<Value>): Generator<Value> {
  for (let next = items.next(); next.done !== true; next = items.next()) {
    rendering.spend(1);
    yield next.value;
  }
}

/** `list(value)`; a list is returned as it is. @throws {PythonError} TypeError */
export function listOf(rendering: Rendering, value: Value): readonly Value[] {
  if (isList(value)) {
    rendering.makeItems(value.length);
    return value;
  }
  return [...counted(rendering, iterate(rendering, value))];
}

/** Items of a value that need not be walked lazily. @throws {PythonError} TypeError */
export const itemsOf = (rendering: Rendering, value: Value): Generator<Value> =>
  counted(rendering, iterate(rendering, value));
