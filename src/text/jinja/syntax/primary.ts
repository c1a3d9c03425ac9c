/** Parses names, literals, lists, dictionaries and tuples. */
import type { Expression } from './nodes.js';
import type { ParserState } from './parser-state.js';
import { describe, syntaxError } from './tokens.js';

const CONSTANTS: ReadonlyMap<string, null | boolean> = new Map([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);

export const isConstantName = (name: string): boolean => CONSTANTS.has(name);

/** @param withNamespace whether `name.attribute` is a target of an assignment */
export function parsePrimary(state: ParserState, withNamespace = false): Expression {
  const { stream, nesting } = state;
  const { type, text, value, line } = stream.current;
  switch (type) {
    case 'name':
      return parseName(state, withNamespace);
    case 'string':
      return { kind: 'constant', value: parseStrings(state), line };
    case 'integer':
    case 'float':
      stream.next();
      return { kind: 'constant', value, line };
    case 'operator':
      if (text === '(') return nesting.within(line, () => parseParentheses(state));
      if (text === '[') return nesting.within(line, () => parseList(state));
      if (text === '{') return nesting.within(line, () => parseDict(state));
  }
  throw syntaxError(`unexpected '${describe(stream.current)}'`, line);
}

function parseName({ stream }: ParserState, withNamespace: boolean): Expression {
  const { text: name, line } = stream.next();
  const constant = CONSTANTS.get(name);
  if (constant !== undefined) return { kind: 'constant', value: constant, line };
  if (!withNamespace || !stream.skipOperator('.')) return { kind: 'name', name, use: 'load', line };
  return { kind: 'namespaceTarget', name, attribute: stream.expect('name').text, line };
}

/** Literals that follow each other are one text. */
function parseStrings({ stream }: ParserState): string {
  let text = '';
  while (stream.current.type === 'string') text += stream.next().value as string;
  return text;
}

function parseParentheses(state: ParserState): Expression {
  state.stream.next();
  const expression = parseTuple(state, { isInParentheses: true });
  state.stream.expectOperator(')');
  return expression;
}

function parseList(state: ParserState): Expression {
  const { stream, nesting } = state;
  const { line } = stream.next();
  const items: Expression[] = [];
  while (!stream.isOperator(']')) {
    if (items.length > 0) stream.expectOperator(',');
    if (stream.isOperator(']')) break;
    items.push(state.parseExpression());
  }
  stream.expectOperator(']');
  return nesting.checked({ kind: 'list', items, line });
}

function parseDict(state: ParserState): Expression {
  const { stream, nesting } = state;
  const { line } = stream.next();
  const pairs: { key: Expression; value: Expression }[] = [];
  while (!stream.isOperator('}')) {
    if (pairs.length > 0) stream.expectOperator(',');
    if (stream.isOperator('}')) break;
    const key = state.parseExpression();
    stream.expectOperator(':');
    pairs.push({ key, value: state.parseExpression() });
  }
  stream.expectOperator('}');
  return nesting.checked({ kind: 'dict', pairs, line });
}

export interface TupleOptions {
  /** Only names and literals, as targets of assignments. */
  readonly isTarget?: boolean;
  readonly withNamespace?: boolean;
  readonly hasConditional?: boolean;
  /** An empty tuple is allowed in parentheses only. */
  readonly isInParentheses?: boolean;
}

/** One expression, or several with commas between them. */
export function parseTuple(state: ParserState, options: TupleOptions = {}): Expression {
  const { stream, nesting } = state;
  let { line } = stream.current;
  const items: Expression[] = [];
  let isTuple = false;
  for (;;) {
    if (items.length > 0) stream.expectOperator(',');
    if (isTupleEnd(state)) break;
    items.push(
      options.isTarget === true
        ? parsePrimary(state, options.withNamespace)
        : state.parseExpression(options.hasConditional),
    );
    if (!stream.isOperator(',')) break;
    isTuple = true;
    ({ line } = stream.current);
  }
  if (!isTuple && items.length > 0) return items[0]!;
  if (!isTuple && options.isInParentheses !== true)
    throw syntaxError(`Expected an expression, got '${describe(stream.current)}'`, stream.current.line);
  return nesting.checked({ kind: 'tuple', items, line });
}

/** `in` does not end a tuple, nor does it for Jinja: a comma before it is an error. */
function isTupleEnd({ stream }: ParserState): boolean {
  const { type } = stream.current;
  return type === 'variable_end' || type === 'block_end' || stream.isOperator(')');
}
