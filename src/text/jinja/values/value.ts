/**
 * Python's values in JavaScript.
 *
 * | Python | here |
 * | --- | --- |
 * | None, bool, str, list | null, boolean, string, array |
 * | int | number that is a safe integer, otherwise bigint |
 * | float | number that is no integer, otherwise `Float` |
 * | dict | plain object as it comes from JSON, or `Dict` |
 * | everything else | a `PythonObject` |
 *
 * Templates cannot change lists and dictionaries (the sandbox is immutable), so what comes from JSON is used without a copy.
 */
import { PythonError } from '../python-error.js';

export type Value = null | boolean | number | bigint | string | PythonObject | readonly Value[] | JsonRecord;

export interface JsonRecord {
  readonly [key: string]: Value;
}

/** Address that is printed of all objects. */
export const ADDRESS = '0x7f0000000000';

export abstract class PythonObject {
  /** Name of the type, as Python's messages write it. */
  abstract readonly typeName: string;

  /** Module and name, for messages about lookups. Builtin types have no module. */
  get qualifiedTypeName(): string {
    return this.typeName;
  }

  isTrue(): boolean {
    return true;
  }

  /** Number of items, or undefined for types without length. */
  get size(): number | undefined {
    return undefined;
  }

  /** An iterator over the items, or undefined for types without items. */
  iterate(): Iterator<Value> | undefined {
    return undefined;
  }

  /** Attribute that is no method, or undefined. */
  attribute(_name: string): Value | undefined {
    return undefined;
  }

  /** Printed form; `reprOf` prints a part. Python's has an address, which says nothing. */
  repr(_reprOf: (part: Value) => string): string {
    return `<${this.qualifiedTypeName} object at ${ADDRESS}>`;
  }
}

/** A float whose value is an integer, such as 2.0. Other floats are plain numbers. */
export class Float extends PythonObject {
  readonly typeName = 'float';
  readonly value: number;

  constructor(value: number) {
    super();
    this.value = value;
  }

  override isTrue(): boolean {
    return this.value !== 0;
  }
}

/** Text that is safe in HTML: `str` that escapes what is added to it. */
export class Markup extends PythonObject {
  readonly typeName = 'Markup';
  readonly text: string;

  constructor(text: string) {
    super();
    this.text = text;
  }

  override get qualifiedTypeName(): string {
    return 'markupsafe.Markup';
  }

  override isTrue(): boolean {
    return this.text !== '';
  }
}

export class Tuple extends PythonObject {
  readonly typeName: string = 'tuple';
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }

  override isTrue(): boolean {
    return this.items.length > 0;
  }

  override get size(): number {
    return this.items.length;
  }

  override iterate(): Iterator<Value> {
    return this.items.values();
  }
}

/** Iterator that can be walked once: a generator of a filter, a reversed list. */
export class OneWayIterator extends PythonObject {
  readonly typeName: string;
  readonly #items: Iterator<Value>;

  constructor(items: Iterator<Value>, typeName = 'generator') {
    super();
    this.typeName = typeName;
    this.#items = items;
  }

  override iterate(): Iterator<Value> {
    return this.#items;
  }
}

/** Value of a name that does not exist: prints nothing, has no items, and most other uses raise an error. */
export class Undefined extends PythonObject {
  readonly typeName = 'Undefined';
  readonly #message: () => string;
  readonly #error: 'UndefinedError' | 'SecurityError';

  /** @param message makes the message of the error that uses raise */
  constructor(message: () => string, error: 'UndefinedError' | 'SecurityError' = 'UndefinedError') {
    super();
    this.#message = message;
    this.#error = error;
  }

  override isTrue(): boolean {
    return false;
  }

  override get size(): number {
    return 0;
  }

  override iterate(): Iterator<Value> {
    return [].values();
  }

  override repr(): string {
    return 'Undefined';
  }

  /** Error that its uses raise. */
  get message(): string {
    return this.#message();
  }

  /** @throws {PythonError} always */
  fail(): never {
    throw new PythonError(this.#error, this.message);
  }
}

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);

/** Whether a value is a dictionary that came from JSON. */
export const isJsonRecord = (value: Value): value is JsonRecord =>
  typeof value === 'object' && value !== null && !(value instanceof PythonObject) && !Array.isArray(value);

/** The text of a string, marked as safe or not; undefined for other types. */
export const asText = (value: Value): string | undefined =>
  typeof value === 'string' ? value : value instanceof Markup ? value.text : undefined;

/** `type(value).__name__` */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  switch (typeof value) {
    case 'string':
      return 'str';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float';
    default:
      return value instanceof PythonObject ? value.typeName : isList(value) ? 'list' : 'dict';
  }
}
