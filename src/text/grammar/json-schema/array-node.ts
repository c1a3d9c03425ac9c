import type { NodeId } from '../grammar-builder.js';
import { countRange, keywordOf, keywordList } from './keywords.js';
import { type Place, placeAt, pointer } from './places.js';
import type { SchemaContext } from './schema-context.js';

/** Arrays that are valid at all places. */
export function arrayNode(compiler: SchemaContext, places: readonly Place[]): NodeId {
  const { builder, text } = compiler;
  const [min, max] = countRange(places, 'minItems', 'maxItems');
  const prefixCount = Math.max(0, ...places.map((place) => itemRules(place).prefix.length));
  const itemAt = (index: number): NodeId =>
    compiler.valueNode(places.map((place) => itemPlace(place, index)));
  const rest = itemAt(prefixCount);
  if (prefixCount === 0) return text.array(text.list(rest, min, max));
  const more = builder.sequence(text.comma, rest);
  const left = rest === builder.nothing && min > prefixCount ? builder.nothing : undefined;
  let node = left ?? builder.repeat(more, Math.max(0, min - prefixCount), Math.max(0, max - prefixCount));
  for (let index = prefixCount - 1; index >= 0; index--) {
    const comma = index === 0 ? builder.empty : text.comma;
    const item = index >= max ? builder.nothing : builder.sequence(comma, itemAt(index), node);
    node = index >= min ? builder.optional(item) : item;
  }
  return text.array(node);
}

/** Rule of a place for the item at an index. */
function itemPlace(place: Place, index: number): Place | boolean {
  const { prefix, keyword, rest } = itemRules(place);
  if (index < prefix.length) return placeAt(prefix[index], pointer(place.path, keyword, index));
  const schema = keywordOf(place, rest);
  return schema === undefined ? true : placeAt(schema, pointer(place.path, rest));
}

/** Schemas of the first items, and the keywords that hold them and the schema of the others. */
function itemRules(place: Place): {
  readonly prefix: readonly unknown[];
  readonly keyword: string;
  readonly rest: string;
} {
  const items = keywordOf(place, 'items');
  // Until draft 2019-09 a tuple was a list under this name, and libraries still write it so.
  if (Array.isArray(items)) return { prefix: items, keyword: 'items', rest: 'additionalItems' };
  return { prefix: keywordList(place, 'prefixItems') ?? [], keyword: 'prefixItems', rest: 'items' };
}
