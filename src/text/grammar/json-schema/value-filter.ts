import { Automaton } from '../automaton/automaton.js';
import { NOTHING } from '../automaton/terms.js';
import { checkGrammar } from '../check-grammar.js';
import type { GrammarBuilder, NodeId } from '../grammar-builder.js';
import type { Place } from './places.js';

/** Keywords beside which every value of the right type is valid. */
const HARMLESS = new Set([
  'type',
  'const',
  'enum',
  'title',
  'description',
  'default',
  'examples',
  '$comment',
]);

/** Whether places whose types, constants and enums are done say nothing more. */
export function acceptsAll(places: readonly (Place | boolean)[]): boolean {
  return places.every(
    (place) =>
      typeof place !== 'boolean' &&
      place.done.includes('enum') &&
      Object.keys(place.schema).every((keyword) => HARMLESS.has(keyword) || place.done.includes(keyword)),
  );
}

/** Tells values whose texts match a node. */
export function grammarFilter(builder: GrammarBuilder, node: NodeId): (value: unknown) => boolean {
  if (node === builder.nothing) return () => false;
  const grammar = builder.build(node);
  checkGrammar(grammar);
  const automaton = new Automaton(grammar);
  return (value) => {
    let state = automaton.start;
    for (const byte of Buffer.from(JSON.stringify(value))) {
      state = automaton.next(state, byte);
      if (state === NOTHING) return false;
    }
    return automaton.isAccepting(state);
  };
}
