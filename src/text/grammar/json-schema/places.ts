/** Places in a schema document, and references between them. */
import { constraintError } from '../limits.js';

export type SchemaObject = Readonly<Record<string, unknown>>;

/** A schema with its JSON pointer. Keywords in `done` have been taken care of. */
export interface Place {
  readonly schema: SchemaObject;
  readonly path: string;
  readonly done: readonly string[];
}

export function isSchemaObject(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function refuseSchema(path: string, sentence: string) {
  return constraintError(`The JSON schema is not supported at ${path}: ${sentence}`);
}

/** A schema at a path: its place, true for one that allows everything, false for one that allows nothing. */
export function placeAt(schema: unknown, path: string): Place | boolean {
  if (typeof schema === 'boolean') return schema;
  if (isSchemaObject(schema)) return { schema, path, done: [] };
  throw constraintError(`The JSON schema is invalid at ${path}: a schema is an object, true or false.`);
}

export function pointer(path: string, ...keys: readonly (string | number)[]): string {
  return [path, ...keys.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1'))].join('/');
}

/** Resolves references inside one document. */
export class SchemaDocument {
  readonly #root: unknown;

  constructor(root: unknown) {
    this.#root = root;
  }

  /** @throws {AloftError} REQUEST_INVALID for a reference that leads nowhere or out of the document */
  resolve(reference: unknown, from: string): Place | boolean {
    if (typeof reference !== 'string')
      throw constraintError(`The JSON schema is invalid at ${from}/$ref: it is not a string.`);
    const id = isSchemaObject(this.#root) ? this.#root['$id'] : undefined;
    if (typeof id === 'string' && id !== '' && reference.startsWith(`${id}#`))
      return this.resolve(reference.slice(id.length), from);
    if (reference !== '#' && !reference.startsWith('#/'))
      throw refuseSchema(
        `${from}/$ref`,
        `only references that start with # can be followed, not ${JSON.stringify(reference)}.`,
      );
    let at = this.#root;
    for (const key of reference.split('/').slice(1)) {
      const name = decode(key);
      const isThere = (isSchemaObject(at) || Array.isArray(at)) && Object.hasOwn(at, name);
      if (!isThere)
        throw constraintError(`The JSON schema is invalid at ${from}/$ref: nothing is at ${reference}.`);
      at = (at as SchemaObject)[name];
    }
    return placeAt(at, reference);
  }
}

function decode(key: string): string {
  try {
    return decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return key;
  }
}
