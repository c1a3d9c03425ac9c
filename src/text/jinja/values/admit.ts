/** Takes values from outside as Python's. What JSON can hold is used as it is; only what differs is copied. */
import { typeError } from '../python-error.js';
import { exceeded } from '../limits.js';
import { float, integer } from './numbers.js';
import { type JsonRecord, PythonObject, type Value } from './value.js';

/** From here on a whole number prints with an exponent, so it was a float in all likelihood. */
const FIRST_EXPONENT = 1e21;

export interface AdmitOptions {
  /** Lists and objects within each other. */
  readonly maxDepth: number;
  /** Is called with each object that had to be copied. */
  readonly onCopy?: (original: object, copy: JsonRecord) => void;
}

/** @throws {AloftError} REQUEST_INVALID beyond the depth; {PythonError} TypeError for what JSON cannot hold */
export const admit = (value: unknown, options: AdmitOptions): Value =>
  new Admission(options).admit(value, options.maxDepth);

class Admission {
  readonly #options: AdmitOptions;

  constructor(options: AdmitOptions) {
    this.#options = options;
  }

  admit(value: unknown, levels: number): Value {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value;
      case 'number':
        return admitNumber(value);
      case 'bigint':
        return integer(value);
      case 'undefined':
        return null;
      case 'object':
        if (value === null || value instanceof PythonObject) return value;
        if (levels === 0) throw exceeded('levels of nesting', this.#options.maxDepth);
        return Array.isArray(value) ? this.#list(value, levels - 1) : this.#object(value, levels - 1);
      default:
        throw typeError(`a ${typeof value} cannot be a variable of a chat template`);
    }
  }

  #list(list: readonly unknown[], levels: number): Value {
    let copy: Value[] | undefined;
    for (let i = 0; i < list.length; i++) {
      const admitted = this.admit(list[i], levels);
      if (admitted !== list[i] && copy === undefined) copy = (list as readonly Value[]).slice(0, i);
      copy?.push(admitted);
    }
    return copy ?? (list as readonly Value[]);
  }

  /** Members without a value are left out, as in JSON. */
  #object(object: object, levels: number): Value {
    const prototype: unknown = Object.getPrototypeOf(object);
    if (prototype !== Object.prototype && prototype !== null)
      throw typeError(
        `an object of class ${object.constructor.name} cannot be a variable of a chat template`,
      );
    const entries = Object.entries(object) as [string, unknown][];
    const admitted = entries
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, this.admit(value, levels)] as const);
    const isSame =
      admitted.length === entries.length && admitted.every(([, value], i) => value === entries[i]![1]);
    if (isSame) return object as JsonRecord;
    const copy = Object.fromEntries(admitted);
    this.#options.onCopy?.(object, copy);
    return copy;
  }
}

function admitNumber(value: number): Value {
  if (!Number.isInteger(value)) return value;
  if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
  return Math.abs(value) >= FIRST_EXPONENT ? float(value) : integer(BigInt(value));
}
