import type { Constraint, Grammar, TagStructure } from '../../core/constraint.js';
import { ALL_CHARACTERS } from './code-points.js';
import { GrammarBuilder, type NodeId } from './grammar-builder.js';
import { SchemaCompiler } from './json-schema/schema-compiler.js';
import { constraintError } from './limits.js';

type StructuralTag = Extract<Constraint, { type: 'structural_tag' }>;

/**
 * Free text in which a trigger begins one of the structures that start with it, as often as the text likes.
 * @throws {AloftError} REQUEST_INVALID for a structure without a trigger, or none at all
 */
export function structuralTagGrammar({ structures, triggers }: StructuralTag): Grammar {
  if (structures.length === 0 || triggers.length === 0)
    throw constraintError('A structural tag needs at least one structure and one trigger.');
  if (triggers.includes(''))
    throw constraintError('A trigger of a structural tag is empty; it would begin everywhere.');
  const orphan = structures.find(({ begin }) => !triggers.some((trigger) => begin.startsWith(trigger)));
  if (orphan !== undefined)
    throw constraintError(
      `The structure that begins with ${JSON.stringify(orphan.begin)} has no trigger; add one that it starts with.`,
    );
  const unused = triggers.find((trigger) => !structures.some(({ begin }) => begin.startsWith(trigger)));
  if (unused !== undefined)
    throw constraintError(`The trigger ${JSON.stringify(unused)} begins no structure; remove it or add one.`);
  const builder = new GrammarBuilder();
  const any = builder.repeat(builder.characters(ALL_CHARACTERS), 0, Infinity);
  const holdsTrigger = builder.sequence(any, builder.texts(triggers), any);
  const free = builder.without(any, holdsTrigger);
  const tag = builder.choice(...structures.map((structure) => structureNode(builder, structure)));
  return builder.build(builder.sequence(free, builder.repeat(builder.sequence(tag, free), 0, Infinity)));
}

function structureNode(builder: GrammarBuilder, { begin, schema, end }: TagStructure): NodeId {
  const value = builder.include(new SchemaCompiler(schema).compile());
  return builder.sequence(builder.text(begin), value, builder.text(end));
}
