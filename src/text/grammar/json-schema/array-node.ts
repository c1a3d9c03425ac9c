import type { NodeId } from '../grammar-builder.js';
import { countRange, keywordOf, keywordList } from './keywords.js';
import { type Place, placeAt, pointer, refuseSchema } from './places.js';
import type { SchemaContext } from './schema-context.js';

/** Arrays that are valid at all places. */
export function arrayNode(compiler: SchemaContext, places: readonly Place[]): NodeId {
  const { builder, text } = compiler;
  const [min, max] = countRange(places, 'minItems', 'maxItems');
  const prefixCount = Math.max(0, ...places.map((place) => keywordList(place, 'prefixItems')?.length ?? 0));
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
  const prefix = keywordList(place, 'prefixItems') ?? [];
  if (index < prefix.length) return placeAt(prefix[index], pointer(place.path, 'prefixItems', index));
  const items = keywordOf(place, 'items');
  if (Array.isArray(items))
    throw refuseSchema(
      pointer(place.path, 'items'),
      'a list of schemas is called prefixItems since draft 2020-12.',
    );
  return items === undefined ? true : placeAt(items, pointer(place.path, 'items'));
}
