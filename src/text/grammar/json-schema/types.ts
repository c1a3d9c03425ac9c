import { invalidKeyword, keywordOf } from './keywords.js';
import type { Place } from './places.js';

const TYPES = ['object', 'array', 'string', 'number', 'boolean', 'null'] as const;
export type JsonType = (typeof TYPES)[number] | 'integer';

/** Types that all places allow. With `number`, integers are in it. */
export function typesOf(places: readonly Place[]): ReadonlySet<JsonType> {
  let types: readonly JsonType[] = TYPES;
  for (const place of places) {
    const value = keywordOf(place, 'type');
    if (value === undefined) continue;
    const names = Array.isArray(value) ? (value as unknown[]) : [value];
    const isKnown = (name: unknown): boolean => name === 'integer' || TYPES.some((type) => type === name);
    if (names.length === 0 || !names.every(isKnown))
      throw invalidKeyword(place.path, 'type', `one or several of ${TYPES.join(', ')}, integer`);
    types = intersection(types, names as JsonType[]);
  }
  return new Set(types);
}

function intersection(a: readonly JsonType[], b: readonly JsonType[]): readonly JsonType[] {
  const both = a.filter((type) => b.includes(type));
  const hasInteger =
    (a.includes('integer') && b.includes('number')) || (a.includes('number') && b.includes('integer'));
  return hasInteger && !both.includes('number') ? [...both, 'integer'] : both;
}

/** Whether a value has one of these types. */
export function acceptsType(types: ReadonlySet<JsonType>, value: unknown): boolean {
  if (value === null) return types.has('null');
  if (Array.isArray(value)) return types.has('array');
  if (typeof value !== 'number') return types.has(typeof value as JsonType);
  return types.has('number') || (types.has('integer') && Number.isInteger(value));
}
