import type { GrammarBuilder, NodeId } from '../grammar-builder.js';
import type { JsonText } from './json-text.js';
import type { Place } from './places.js';

/** Parts of the compiler of schemas that the compilers of single types use. */
export interface SchemaContext {
  readonly builder: GrammarBuilder;
  readonly text: JsonText;
  /** Values that are valid at all places. */
  valueNode(places: readonly (Place | boolean)[]): NodeId;
  /** Follows references and `allOf`. @returns the places that say something; undefined when nothing is valid */
  flatten(places: readonly (Place | boolean)[]): readonly Place[] | undefined;
  /** Tells values that are valid at all places. */
  valueFilter(places: readonly (Place | boolean)[]): (value: unknown) => boolean;
}
