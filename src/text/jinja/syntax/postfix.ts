/** Parses what follows an operand: attributes, items, slices, calls, filters and tests. */
import { PythonError } from '../python-error.js';
import type { Arguments, Expression, Filter } from './nodes.js';
import type { ParserState } from './parser-state.js';
import { parsePrimary } from './primary.js';
import { syntaxError } from './tokens.js';

const NO_ARGUMENTS: Arguments = {
  positional: [],
  named: [],
  restPositional: undefined,
  restNamed: undefined,
};

export function parsePostfix(state: ParserState, operand: Expression): Expression {
  let node = operand;
  for (;;) {
    if (state.stream.isOperator('.')) node = parseAttribute(state, node);
    else if (state.stream.isOperator('[')) node = parseItem(state, node);
    else if (state.stream.isOperator('(')) node = parseCall(state, node);
    else return node;
  }
}

/** Filters and tests, and calls of their results. */
export function parseFilters(state: ParserState, operand: Expression): Expression {
  let node = operand;
  for (;;) {
    if (state.stream.skipOperator('|')) node = parseFilter(state, node);
    else if (state.stream.isName('is')) node = parseTest(state, node);
    else if (state.stream.isOperator('(')) node = parseCall(state, node);
    else return node;
  }
}

function parseAttribute({ stream, nesting }: ParserState, object: Expression): Expression {
  const { line } = stream.next();
  const { type, text, value, line: keyLine } = stream.next();
  if (type === 'name') return nesting.checked({ kind: 'attribute', object, name: text, line });
  if (type !== 'integer') throw syntaxError('expected name or number', keyLine);
  return nesting.checked({ kind: 'item', object, key: { kind: 'constant', value, line: keyLine }, line });
}

function parseItem(state: ParserState, object: Expression): Expression {
  const { stream, nesting } = state;
  const { line } = stream.next();
  const keys: Expression[] = [];
  while (!stream.isOperator(']')) {
    if (keys.length > 0) stream.expectOperator(',');
    keys.push(parseKey(state));
  }
  stream.expectOperator(']');
  const key = keys.length === 1 ? keys[0]! : nesting.checked({ kind: 'tuple', items: keys, line });
  if (key.kind === 'tuple' && keys.some(({ kind }) => kind === 'slice'))
    throw syntaxError('a slice can only be the one thing in its brackets', line);
  return nesting.checked({ kind: 'item', object, key, line });
}

/** A key, or a slice `start:stop:step`. */
function parseKey(state: ParserState): Expression {
  const { stream, nesting } = state;
  const { line } = stream.current;
  const start = stream.isOperator(':') ? undefined : state.parseExpression();
  if (start !== undefined && !stream.isOperator(':')) return start;
  stream.next();
  const bound = (): Expression | undefined =>
    stream.isOperator(':', ']', ',') ? undefined : state.parseExpression();
  const stop = bound();
  const step = stream.skipOperator(':') ? bound() : undefined;
  return nesting.checked({ kind: 'slice', start, stop, step, line });
}

function parseCall(state: ParserState, callee: Expression): Expression {
  const { line } = state.stream.current;
  return state.nesting.checked({ kind: 'call', callee, given: parseArguments(state), line });
}

function parseArguments(state: ParserState): Arguments {
  const { stream } = state;
  const { line } = stream.expectOperator('(');
  const positional: Expression[] = [];
  const named: { name: string; value: Expression }[] = [];
  let restPositional: Expression | undefined;
  let restNamed: Expression | undefined;
  const ensure = (isValid: boolean): void => {
    if (!isValid) throw syntaxError('invalid syntax for function call expression', line);
  };
  let isFirst = true;
  while (!stream.isOperator(')')) {
    if (!isFirst) stream.expectOperator(',');
    if (!isFirst && stream.isOperator(')')) break;
    isFirst = false;
    if (stream.skipOperator('*')) {
      ensure(restPositional === undefined && restNamed === undefined);
      restPositional = state.parseExpression();
    } else if (stream.skipOperator('**')) {
      ensure(restNamed === undefined);
      restNamed = state.parseExpression();
    } else if (isKeyword(state)) {
      ensure(restNamed === undefined);
      named.push(parseKeyword(state));
    } else {
      ensure(restPositional === undefined && restNamed === undefined && named.length === 0);
      positional.push(state.parseExpression());
    }
  }
  stream.expectOperator(')');
  if (new Set(named.map(({ name }) => name)).size < named.length)
    throw new PythonError('SyntaxError', 'keyword argument repeated', line);
  return { positional, named, restPositional, restNamed };
}

const isKeyword = ({ stream: { current, following } }: ParserState): boolean =>
  current.type === 'name' && following.type === 'operator' && following.text === '=';

function parseKeyword(state: ParserState): { name: string; value: Expression } {
  const name = state.stream.next().text;
  state.stream.next();
  return { name, value: state.parseExpression() };
}

/** `name.name...`, as names of filters and tests may be. */
function parseDottedName({ stream }: ParserState): string {
  let name = stream.expect('name').text;
  while (stream.skipOperator('.')) name += `.${stream.expect('name').text}`;
  return name;
}

/** A filter of a value, or of the text of a block. The bar is read already. */
export function parseFilter(state: ParserState, value: Expression | undefined): Filter {
  const { line } = state.stream.current;
  const name = parseDottedName(state);
  const given = state.stream.isOperator('(') ? parseArguments(state) : NO_ARGUMENTS;
  return state.nesting.checked({ kind: 'filter', value, name, given, line });
}

const isArgument = ({ stream }: ParserState): boolean => {
  const { type } = stream.current;
  if (stream.isName('else', 'or', 'and')) return false;
  return ['name', 'string', 'integer', 'float'].includes(type) || stream.isOperator('[', '{');
};

function parseTest(state: ParserState, value: Expression): Expression {
  const { stream, nesting } = state;
  const { line } = stream.next();
  const isNegated = stream.skipName('not');
  const name = parseDottedName(state);
  let given = NO_ARGUMENTS;
  if (stream.isOperator('(')) given = parseArguments(state);
  else if (isArgument(state)) {
    if (stream.isName('is')) throw syntaxError('You cannot chain multiple tests with is', line);
    given = { ...NO_ARGUMENTS, positional: [parsePostfix(state, parsePrimary(state))] };
  }
  const test = nesting.checked({ kind: 'test', value, name, given, line } as const);
  return isNegated ? nesting.checked({ kind: 'unary', operator: 'not', operand: test, line }) : test;
}
