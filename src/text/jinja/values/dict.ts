/** Dictionaries that templates make. Their keys may be of any hashable type; 1, 1.0 and True are the same key. */
import type { Budget } from '../limits.js';
import { typeError } from '../python-error.js';
import { numberOf } from './numbers.js';
import {
  isJsonRecord,
  isList,
  type JsonRecord,
  PythonObject,
  asText,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './value.js';

/** A key of a JavaScript map that is equal where Python's keys are. */
export type HashKey = string | number | bigint | null | PythonObject;

const UNDEFINED_KEY = '\0u';

/** @throws {PythonError} TypeError for lists and dictionaries */
export function hashKey(budget: Budget, value: Value): HashKey {
  const text = asText(value);
  if (text !== undefined) return hashText(budget, text);
  if (value === null) return null;
  const number = numberOf(value)?.value;
  if (number !== undefined) return hashNumber(number);
  if (value instanceof Tuple) return hashTuple(budget, value);
  if (value instanceof Undefined) return UNDEFINED_KEY;
  const isView = value instanceof DictView && value.kind !== 'values';
  if (isView || value instanceof Dict || !(value instanceof PythonObject))
    throw typeError(`unhashable type: '${typeName(value)}'`);
  return value;
}

function hashText(budget: Budget, text: string): string {
  budget.read(text.length);
  return escapeKey(text);
}

const escapeKey = (text: string): string => (text.startsWith('\0') ? `\0s${text}` : text);

function hashTuple(budget: Budget, { items }: Tuple): string {
  budget.enter();
  let key = '\0t';
  for (const item of items) {
    budget.spend(2);
    key += tupleKey(hashKey(budget, item));
    budget.join(key.length);
  }
  budget.leave();
  return key;
}

function hashNumber(value: number | bigint): HashKey {
  if (typeof value === 'bigint' || !Number.isInteger(value) || Number.isSafeInteger(value))
    return value === 0 ? 0 : value;
  return BigInt(value);
}

/** A key within a tuple's key, with its length so that no two tuples share one. */
function tupleKey(key: HashKey): string {
  if (key instanceof PythonObject) throw typeError(`a tuple with a '${key.typeName}' cannot be a key here`);
  const text = String(key);
  return `${typeof key === 'bigint' ? 'number' : typeof key}${text.length}:${text}`;
}

interface Entry {
  readonly key: Value;
  readonly value: Value;
}

export class Dict extends PythonObject {
  readonly typeName = 'dict';
  readonly #entries = new Map<HashKey, Entry>();

  /** A later value of a key takes the place of the earlier one; the key stays as it was. */
  static of(budget: Budget, pairs: Iterable<readonly [Value, Value]>): Dict {
    const dict = new Dict();
    for (const [key, value] of pairs) {
      budget.spend(4);
      dict.#set(hashKey(budget, key), key, value);
    }
    return dict;
  }

  /** A dictionary whose keys are names. */
  static ofNames(pairs: Iterable<readonly [string, Value]>): Dict {
    const dict = new Dict();
    for (const [name, value] of pairs) dict.#set(escapeKey(name), name, value);
    return dict;
  }

  #set(hash: HashKey, key: Value, value: Value): void {
    const known = this.#entries.get(hash);
    this.#entries.set(hash, { key: known === undefined ? key : known.key, value });
  }

  override isTrue(): boolean {
    return this.#entries.size > 0;
  }

  override get size(): number {
    return this.#entries.size;
  }

  override iterate(): Iterator<Value> {
    return keysOf(this.#entries.values());
  }

  get(hash: HashKey): Value | undefined {
    return this.#entries.get(hash)?.value;
  }

  *pairs(): Generator<readonly [Value, Value]> {
    for (const { key, value } of this.#entries.values()) yield [key, value];
  }
}

function* keysOf(entries: Iterable<Entry>): Generator<Value> {
  for (const { key } of entries) yield key;
}

/** A dictionary from JSON or made by a template. */
export type AnyDict = Dict | JsonRecord;

export const isDict = (value: Value): value is AnyDict => value instanceof Dict || isJsonRecord(value);

/** The value of a key, or undefined. @throws {PythonError} TypeError for keys that have no hash */
export function dictGet(budget: Budget, dict: AnyDict, key: Value): Value | undefined {
  if (dict instanceof Dict) return dict.get(hashKey(budget, key));
  const name = asText(key);
  if (name === undefined) {
    hashKey(budget, key);
    return undefined;
  }
  budget.read(name.length);
  return Object.hasOwn(dict, name) ? dict[name] : undefined;
}

export const dictSize = (dict: AnyDict): number =>
  dict instanceof Dict ? dict.size : Object.keys(dict).length;

export function dictPairs(dict: AnyDict): Iterable<readonly [Value, Value]> {
  return dict instanceof Dict ? dict.pairs() : Object.entries(dict);
}

export function dictKeys(dict: AnyDict): Value[] {
  return dict instanceof Dict ? Array.from(dict.pairs(), ([key]) => key) : Object.keys(dict);
}

/** `keys()`, `values()` or `items()` of a dictionary: a view without a copy. */
export class DictView extends PythonObject {
  readonly kind: 'keys' | 'values' | 'items';
  readonly dict: AnyDict;

  constructor(dict: AnyDict, kind: 'keys' | 'values' | 'items') {
    super();
    this.dict = dict;
    this.kind = kind;
  }

  get typeName(): string {
    return `dict_${this.kind}`;
  }

  override isTrue(): boolean {
    return this.size > 0;
  }

  override get size(): number {
    return dictSize(this.dict);
  }

  override iterate(): Iterator<Value> {
    return this.items().values();
  }

  items(): Value[] {
    const pairs = Array.from(dictPairs(this.dict));
    if (this.kind === 'items') return pairs.map((pair) => new Tuple(pair));
    return pairs.map(([key, value]) => (this.kind === 'keys' ? key : value));
  }

  override repr(reprOf: (part: Value) => string): string {
    return `${this.typeName}(${reprOf(this.items())})`;
  }
}

/** Whether a value can be a key; lists and dictionaries cannot. */
export const isUnhashable = (value: Value): boolean =>
  isList(value) ||
  isDict(value) ||
  (value instanceof DictView && value.kind !== 'values') ||
  (value instanceof Tuple && value.items.some(isUnhashable));
