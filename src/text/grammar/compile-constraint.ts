import type { Grammar, HeldForm } from '../../core/constraint.js';
import { AloftError } from '../../core/errors.js';
import { Automaton } from './automaton/automaton.js';
import { checkGrammar, endlessRule } from './check-grammar.js';
import { parseGrammar } from './ebnf/grammar-parser.js';
import { GrammarBuilder } from './grammar-builder.js';
import { JsonText } from './json-schema/json-text.js';
import { SchemaCompiler } from './json-schema/schema-compiler.js';
import { checkSourceLength, constraintError, GRAMMAR_LIMITS } from './limits.js';
import { regexNode } from './regex/regex-node.js';
import { structuralTagGrammar } from './structural-tags.js';
import { toolInputGrammar } from './tool-input.js';

/**
 * The grammar of a constraint.
 * @throws {AloftError} REQUEST_INVALID for what is not supported, cannot be satisfied, or is larger than {@link GRAMMAR_LIMITS}
 */
export function compileConstraint(constraint: HeldForm): Grammar {
  if (constraint.type !== 'tool_input') return checkedGrammar(constraint);
  try {
    return checkedGrammar(constraint);
  } catch (fault) {
    if (!(fault instanceof AloftError)) throw fault;
    throw constraintError(`The format of the tool '${constraint.tool}' is refused: ${fault.message}`);
  }
}

function checkedGrammar(constraint: HeldForm): Grammar {
  const grammar = withinStack(() => withoutDeadParts(grammarOf(constraint)));
  if (constraint.type !== 'grammar') return grammar;
  const endless = endlessRule(grammar);
  if (endless !== undefined)
    throw constraintError(
      `The rule '${endless}' of the grammar has no end: it always calls itself; give it another way.`,
    );
  return grammar;
}

function withinStack(compile: () => Grammar): Grammar {
  try {
    return compile();
  } catch (fault) {
    if (!(fault instanceof RangeError)) throw fault;
    throw constraintError('The constraint nests more deeply than can be followed; simplify it.');
  }
}

function grammarOf(constraint: HeldForm): Grammar {
  switch (constraint.type) {
    case 'json_schema':
      checkSourceLength('JSON schema', JSON.stringify(constraint.schema) ?? '');
      return new SchemaCompiler(constraint.schema).compile();
    case 'json_object': {
      const builder = new GrammarBuilder();
      return builder.build(new JsonText(builder).anyObject);
    }
    case 'regex': {
      const builder = new GrammarBuilder();
      const characters = (set: readonly number[]) => builder.characters(set);
      return builder.build(
        regexNode(builder, constraint.pattern, { where: 'regex', isSearch: false, characters }),
      );
    }
    case 'grammar':
      return parseGrammar(constraint.grammar);
    case 'choice':
      return choiceGrammar(constraint.choices);
    case 'tool_input':
      return toolInputGrammar(constraint, compileConstraint);
    case 'structural_tag':
      checkSourceLength('structural tag', JSON.stringify(constraint.structures));
      return structuralTagGrammar(constraint);
  }
}

function choiceGrammar(choices: readonly string[]): Grammar {
  if (choices.length === 0) throw constraintError('The choice is empty; name at least one text.');
  if (choices.length > GRAMMAR_LIMITS.choices)
    throw constraintError(
      `The choice has ${choices.length} texts, and ${GRAMMAR_LIMITS.choices} are possible; use fewer, or a regex.`,
    );
  checkSourceLength('choice', choices.join(''));
  const builder = new GrammarBuilder();
  return builder.build(builder.texts(choices));
}

/** Checks a grammar; parts of it that must match two forms that nothing has in common become parts that match nothing. */
function withoutDeadParts(grammar: Grammar): Grammar {
  checkGrammar(grammar);
  if (!grammar.nodes.some(({ type }) => type === 'both')) return grammar;
  const automaton = new Automaton(grammar);
  const isDead = grammar.nodes.map(({ type }, id) => type === 'both' && !automaton.isSatisfiable(id));
  if (!isDead.includes(true)) return grammar;
  const nothing = { type: 'choice', parts: [] } as const;
  const checked = { ...grammar, nodes: grammar.nodes.map((node, id) => (isDead[id]! ? nothing : node)) };
  checkGrammar(checked);
  return checked;
}
