/** Parses expressions, in Jinja's order of precedence. */
import { parsePrimary } from './primary.js';
import type { Binary, BinaryOperator, Comparator, Expression } from './nodes.js';
import type { ParserState } from './parser-state.js';
import { parseFilters, parsePostfix } from './postfix.js';

/** `a if b else c`, or without the condition where `if` begins something else. */
export function parseExpression(state: ParserState, hasConditional = true): Expression {
  const { stream, nesting } = state;
  return nesting.within(stream.current.line, () =>
    hasConditional ? parseConditional(state) : parseOr(state),
  );
}

function parseConditional(state: ParserState): Expression {
  const { stream, nesting } = state;
  let { line } = stream.current;
  let expression = parseOr(state);
  while (stream.skipName('if')) {
    const test = parseOr(state);
    const otherwise = stream.skipName('else')
      ? nesting.within(line, () => parseConditional(state))
      : undefined;
    expression = nesting.checked({ kind: 'conditional', test, value: expression, otherwise, line });
    ({ line } = stream.current);
  }
  return expression;
}

const parseOr = (state: ParserState): Expression => parseLogical(state, 'or', parseAnd);
const parseAnd = (state: ParserState): Expression => parseLogical(state, 'and', parseNot);

function parseLogical(
  state: ParserState,
  operator: 'and' | 'or',
  parseOperand: (state: ParserState) => Expression,
): Expression {
  const { stream, nesting } = state;
  let { line } = stream.current;
  let left = parseOperand(state);
  while (stream.skipName(operator)) {
    left = nesting.checked({ kind: 'logical', operator, left, right: parseOperand(state), line });
    ({ line } = stream.current);
  }
  return left;
}

function parseNot(state: ParserState): Expression {
  const { stream, nesting } = state;
  if (!stream.isName('not')) return parseComparison(state);
  const { line } = stream.next();
  const operand = nesting.within(line, () => parseNot(state));
  return nesting.checked({ kind: 'unary', operator: 'not', operand, line });
}

const COMPARATORS = ['==', '!=', '<', '<=', '>', '>='];

function parseComparison(state: ParserState): Expression {
  const { stream, nesting } = state;
  let { line } = stream.current;
  const first = parseSum(state);
  const rest: { operator: Comparator; operand: Expression }[] = [];
  for (let operator = readComparator(state); operator; operator = readComparator(state)) {
    rest.push({ operator, operand: parseSum(state) });
    ({ line } = stream.current);
  }
  return rest.length === 0 ? first : nesting.checked({ kind: 'comparison', first, rest, line });
}

function readComparator({ stream }: ParserState): Comparator | undefined {
  if (stream.isOperator(...COMPARATORS)) return stream.next().text as Comparator;
  if (stream.skipName('in')) return 'in';
  const isNotIn = stream.isName('not') && stream.following.type === 'name' && stream.following.text === 'in';
  if (!isNotIn) return undefined;
  stream.next();
  stream.next();
  return 'not in';
}

/** Left-associative operators of one precedence. */
function parseBinary(
  state: ParserState,
  operators: readonly BinaryOperator[],
  parseOperand: (state: ParserState) => Expression,
): Expression {
  const { stream, nesting } = state;
  let { line } = stream.current;
  let left = parseOperand(state);
  while (stream.isOperator(...operators)) {
    const operator = stream.next().text as BinaryOperator;
    const node: Binary = { kind: 'binary', operator, left, right: parseOperand(state), line };
    left = nesting.checked(node);
    ({ line } = stream.current);
  }
  return left;
}

const parseSum = (state: ParserState): Expression => parseBinary(state, ['+', '-'], parseConcatenation);
const parseProduct = (state: ParserState): Expression =>
  parseBinary(state, ['*', '/', '//', '%'], parsePower);
const parsePower = (state: ParserState): Expression => parseBinary(state, ['**'], parseUnary);

function parseConcatenation(state: ParserState): Expression {
  const { stream, nesting } = state;
  const { line } = stream.current;
  const parts = [parseProduct(state)];
  while (stream.skipOperator('~')) parts.push(parseProduct(state));
  return parts.length === 1 ? parts[0]! : nesting.checked({ kind: 'concatenation', parts, line });
}

/** A sign binds closer than a filter: `-1 | abs` is 1. */
function parseUnary(state: ParserState): Expression {
  return parseFilters(state, parseSigned(state));
}

function parseSigned(state: ParserState): Expression {
  const { stream, nesting } = state;
  if (!stream.isOperator('+', '-')) return parsePostfix(state, parsePrimary(state));
  const { text, line } = stream.next();
  const operand = nesting.within(line, () => parseSigned(state));
  const node = nesting.checked({ kind: 'unary', operator: text as '+' | '-', operand, line });
  return parsePostfix(state, node);
}
