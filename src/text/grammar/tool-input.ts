/** Inputs of custom tools: texts of a form, as they are written within a call. */
import type { Grammar, TextForm, ToolInput } from '../../core/constraint.js';
import { INPUT_ARGUMENT } from '../../core/conversation.js';
import { ALL_CHARACTERS, pairsOf } from './code-points.js';
import { GrammarBuilder, type GrammarLeaf, type NodeId } from './grammar-builder.js';
import { JsonText } from './json-schema/json-text.js';

/**
 * @param compile makes the grammar of a form
 * @throws {AloftError} REQUEST_INVALID for a form that cannot be used
 */
export function toolInputGrammar(input: ToolInput, compile: (form: TextForm) => Grammar): Grammar {
  const form = input.form && compile(input.form);
  const builder = new GrammarBuilder();
  const { writtenAs } = input;
  if (typeof writtenAs === 'object') return builder.build(bareText(builder, form, writtenAs.without));
  const json = new JsonText(builder);
  const text = form === undefined ? json.string(0, Infinity) : json.quoted(jsonContent(builder, json, form));
  if (writtenAs === 'string') return builder.build(text);
  return builder.build(json.object(json.member(builder.text(JSON.stringify(INPUT_ARGUMENT)), text)));
}

/**
 * The same texts as they stand between the quotes of a JSON string. Each character has one spelling, so what matches two forms, or
 * does not match one, still does when it is spelled.
 */
function jsonContent(builder: GrammarBuilder, json: JsonText, form: Grammar): NodeId {
  return builder.include(form, (leaf) =>
    leaf.type === 'text'
      ? builder.text(JSON.stringify(leaf.text).slice(1, -1))
      : json.characters(leaf.ranges),
  );
}

/** Texts in which the mark is nowhere. */
function bareText(builder: GrammarBuilder, form: Grammar | undefined, mark: string): NodeId {
  const any = builder.repeat(builder.characters(ALL_CHARACTERS), 0, Infinity);
  const text = form === undefined ? any : builder.include(form);
  // Two forms at once are refused for most recursive grammars: this spares those that cannot write the mark anyway.
  if (form !== undefined && !mayWrite(form, mark[0]!)) return text;
  return builder.without(text, builder.sequence(any, builder.text(mark), any));
}

function mayWrite({ nodes }: Grammar, character: string): boolean {
  const point = character.codePointAt(0)!;
  const isIn = (leaf: GrammarLeaf): boolean =>
    leaf.type === 'text'
      ? leaf.text.includes(character)
      : pairsOf(leaf.ranges).some(([first, last]) => first <= point && point <= last);
  return nodes.some((node) => (node.type === 'text' || node.type === 'characters') && isIn(node));
}
