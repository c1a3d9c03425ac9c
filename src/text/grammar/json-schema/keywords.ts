import { constraintError } from '../limits.js';
import { type Place, type SchemaObject, isSchemaObject, pointer, refuseSchema } from './places.js';

/** Keywords that say something about a value. */
const ASSERTIONS = new Set([
  '$ref',
  'allOf',
  'anyOf',
  'oneOf',
  'type',
  'enum',
  'const',
  'properties',
  'patternProperties',
  'additionalProperties',
  'propertyNames',
  'required',
  'minProperties',
  'maxProperties',
  'prefixItems',
  'items',
  'additionalItems',
  'minItems',
  'maxItems',
  'minLength',
  'maxLength',
  'pattern',
  'format',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
]);

/** Keywords that say nothing about a value. */
const ANNOTATIONS = new Set([
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'examples',
  'example',
  'deprecated',
  'readOnly',
  'writeOnly',
  // OpenAPI and clients add these: a value that is valid without them is valid with them.
  'components',
  'discriminator',
  'externalDocs',
  'nullable',
  'propertyOrder',
  'propertyOrdering',
  '$anchor',
  'contentEncoding',
  'contentMediaType',
]);

/** Values with which other keywords say nothing. */
const NEUTRAL: SchemaObject = {
  uniqueItems: false,
  unevaluatedProperties: true,
  unevaluatedItems: true,
  minContains: 0,
};

/** @throws {AloftError} REQUEST_INVALID naming path and keyword */
export function checkKeywords({ schema, path }: Place): void {
  for (const [keyword, value] of Object.entries(schema)) {
    if (ASSERTIONS.has(keyword) || ANNOTATIONS.has(keyword) || keyword.startsWith('x-')) continue;
    if (Object.hasOwn(NEUTRAL, keyword) && NEUTRAL[keyword] === value) continue;
    if (keyword === 'uniqueItems' && typeof schema['maxItems'] === 'number' && schema['maxItems'] <= 1)
      continue;
    throw refuseSchema(
      pointer(path, keyword),
      `the keyword ${keyword} is not among those that an answer can be held to.`,
    );
  }
}

/** A keyword of a place that is not done yet. */
export function keywordOf({ schema, done }: Place, keyword: string): unknown {
  return done.includes(keyword) ? undefined : schema[keyword];
}

export function invalidKeyword(path: string, keyword: string, expected: string) {
  return constraintError(
    `The JSON schema is invalid at ${pointer(path, keyword)}: ${keyword} is ${expected}.`,
  );
}

function countOf(place: Place, keyword: string): number | undefined {
  const value = keywordOf(place, keyword);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw invalidKeyword(place.path, keyword, 'a whole number of at least 0');
}

export function keywordNumber(place: Place, keyword: string): number | undefined {
  const value = keywordOf(place, keyword);
  if (value === undefined || typeof value === 'number') return value;
  throw invalidKeyword(place.path, keyword, 'a number');
}

export function keywordText(place: Place, keyword: string): string | undefined {
  const value = keywordOf(place, keyword);
  if (value === undefined || typeof value === 'string') return value;
  throw invalidKeyword(place.path, keyword, 'a string');
}

export function keywordList(place: Place, keyword: string): readonly unknown[] | undefined {
  const value = keywordOf(place, keyword);
  if (value === undefined || Array.isArray(value)) return value as readonly unknown[] | undefined;
  throw invalidKeyword(place.path, keyword, 'a list');
}

export function objectOf(place: Place, keyword: string): SchemaObject | undefined {
  const value = keywordOf(place, keyword);
  if (value === undefined || isSchemaObject(value)) return value;
  throw invalidKeyword(place.path, keyword, 'an object');
}

/** Smallest and largest of counts of several places. */
export function countRange(
  places: readonly Place[],
  minimum: string,
  maximum: string,
): readonly [number, number] {
  return [
    Math.max(0, ...places.map((place) => countOf(place, minimum) ?? 0)),
    Math.min(Infinity, ...places.map((place) => countOf(place, maximum) ?? Infinity)),
  ];
}
