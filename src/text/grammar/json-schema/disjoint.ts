/** Finds that no value can be valid under two schemas at once, as far as types and constants show it. */
import { keywordOf, keywordList, objectOf } from './keywords.js';
import { isSchemaObject, type Place } from './places.js';
import { type JsonType, typesOf } from './types.js';

/** True only if no value is valid at all places of both lists. */
export function areDisjoint(a: readonly Place[], b: readonly Place[]): boolean {
  if (haveNoCommon(constantsOf(a), constantsOf(b))) return true;
  const types = new Set([...typesOf(a)].filter((type) => hasType(typesOf(b), type)));
  for (const [some, others] of [
    [a, b],
    [b, a],
  ] as const) {
    const constants = constantsOf(some);
    if (constants !== undefined && ![...constants].some((text) => hasType(typesOf(others), typeOfText(text))))
      return true;
  }
  for (const type of types) if (type !== 'object' || !areObjectsDisjoint(a, b)) return false;
  return true;
}

/** True only if every list of places requires a member whose constants no other list has, of the same name. */
export function haveOwnTags(branches: readonly (readonly Place[] | undefined)[]): boolean {
  const some = branches.filter((places) => places !== undefined);
  const [first] = some;
  if (first === undefined) return true;
  return [...requiredNames(first)].some((name) => {
    const seen = new Set<string>();
    return some.every((places) => {
      const tags = requiredNames(places).has(name) ? memberConstants(places, name) : undefined;
      if (tags === undefined || [...tags].some((tag) => seen.has(tag))) return false;
      for (const tag of tags) seen.add(tag);
      return true;
    });
  });
}

function hasType(types: ReadonlySet<JsonType>, type: JsonType): boolean {
  if (types.has(type)) return true;
  return (type === 'integer' && types.has('number')) || (type === 'number' && types.has('integer'));
}

function typeOfText(text: string): JsonType {
  const value: unknown = JSON.parse(text);
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : (typeof value as JsonType);
}

/** Texts of the values that `const` and `enum` allow; undefined without any. */
function constantsOf(places: readonly Place[]): ReadonlySet<string> | undefined {
  for (const place of places) {
    const constant = keywordOf(place, 'const');
    const values = constant === undefined ? keywordList(place, 'enum') : [constant];
    if (values !== undefined) return new Set(values.map((value) => JSON.stringify(value)));
  }
  return undefined;
}

function haveNoCommon(a: ReadonlySet<string> | undefined, b: ReadonlySet<string> | undefined): boolean {
  return a !== undefined && b !== undefined && ![...a].some((text) => b.has(text));
}

function areObjectsDisjoint(a: readonly Place[], b: readonly Place[]): boolean {
  const required = requiredNames(a);
  for (const name of requiredNames(b))
    if (required.has(name) && haveNoCommon(memberConstants(a, name), memberConstants(b, name))) return true;
  return lacksRequired(a, b) || lacksRequired(b, a);
}

/** Whether a name that `a` requires is forbidden by `b`. */
function lacksRequired(a: readonly Place[], b: readonly Place[]): boolean {
  return [...requiredNames(a)].some((name) =>
    b.some(
      (place) =>
        keywordOf(place, 'additionalProperties') === false &&
        objectOf(place, 'patternProperties') === undefined &&
        !Object.hasOwn(objectOf(place, 'properties') ?? {}, name),
    ),
  );
}

function requiredNames(places: readonly Place[]): Set<string> {
  return new Set(places.flatMap((place) => keywordList(place, 'required') ?? []).map(String));
}

function memberConstants(places: readonly Place[], name: string): ReadonlySet<string> | undefined {
  for (const place of places) {
    const member = objectOf(place, 'properties')?.[name];
    if (!isSchemaObject(member)) continue;
    const constants = constantsOf([{ schema: member, path: place.path, done: [] }]);
    if (constants !== undefined) return constants;
  }
  return undefined;
}
