/** Parses tags. */
import { PythonError } from '../python-error.js';
import type {
  Body,
  CallBlock,
  Expression,
  Filter,
  For,
  If,
  MacroDefinition,
  Name,
  MacroParameters,
  Statement,
  With,
} from './nodes.js';
import type { ParserState } from './parser-state.js';
import { parseFilter } from './postfix.js';
import { isConstantName, parseTuple, type TupleOptions } from './primary.js';
import { syntaxError } from './tokens.js';

/** A state whose parser can read the body of a tag. */
export interface StatementState extends ParserState {
  /** Reads statements up to a tag with one of these names; its name is the current token then. */
  readonly parseBody: (...endNames: readonly string[]) => Body;
}

type StatementParser = (state: StatementState) => Statement;

/** Reads a body and the name of the tag that ends it. */
function parseClosedBody(state: StatementState, endName: string): Body {
  const body = state.parseBody(endName);
  state.stream.next();
  return body;
}

/** A target of an assignment. @throws {PythonError} TemplateSyntaxError for what cannot be assigned to */
function parseTarget(state: ParserState, options: TupleOptions = {}): Expression {
  const target = parseTuple(state, { ...options, isTarget: true });
  return asTarget(target, target.line);
}

function asTarget(target: Expression, line: number): Expression {
  if (target.kind === 'namespaceTarget') return target;
  if (target.kind === 'name' && !isConstantName(target.name)) return { ...target, use: 'store' };
  if (target.kind === 'tuple') return { ...target, items: target.items.map((item) => asTarget(item, line)) };
  throw syntaxError(`can't assign to '${target.kind}'`, line);
}

function parseTargetName({ stream }: ParserState, use: 'store' | 'parameter'): Name {
  const { text: name, line } = stream.expect('name');
  if (isConstantName(name)) throw syntaxError("can't assign to 'name'", line);
  return { kind: 'name', name, use, line };
}

function parseSet(state: StatementState): Statement {
  const { line } = state.stream.next();
  const target = parseTarget(state, { withNamespace: true });
  if (state.stream.skipOperator('=')) return { kind: 'assign', target, value: parseTuple(state), line };
  const filter = parseFilterChain(state);
  return { kind: 'assignBlock', target, filter, body: parseClosedBody(state, 'endset'), line };
}

/** Filters of the text of a block; each gets the result of the one before. */
function parseFilterChain(state: ParserState): Filter | undefined {
  let filter: Filter | undefined;
  while (state.stream.skipOperator('|')) filter = parseFilter(state, filter);
  return filter;
}

function parseFor(state: StatementState): For {
  const { stream } = state;
  const { line } = stream.next();
  const target = parseTarget(state);
  stream.expectName('in');
  const items = parseTuple(state, { hasConditional: false });
  const test = stream.skipName('if') ? state.parseExpression() : undefined;
  const isRecursive = stream.skipName('recursive');
  const body = state.parseBody('endfor', 'else');
  const otherwise = stream.next().text === 'else' ? parseClosedBody(state, 'endfor') : [];
  return { kind: 'for', target, items, body, otherwise, test, isRecursive, line };
}

interface Branch {
  readonly test: Expression;
  readonly body: Body;
  readonly line: number;
}

function parseIf(state: StatementState): If {
  const { stream } = state;
  const branches: Branch[] = [];
  for (let isFirst = true; isFirst || stream.isName('elif'); isFirst = false) {
    const { line } = stream.next();
    const test = parseTuple(state, { hasConditional: false });
    branches.push({ test, body: state.parseBody('elif', 'else', 'endif'), line });
  }
  const otherwise = stream.next().text === 'else' ? parseClosedBody(state, 'endif') : [];
  const [first, ...others] = branches.map((branch): If => ({
    kind: 'if',
    elifs: [],
    otherwise: [],
    ...branch,
  }));
  return { ...first!, elifs: others, otherwise };
}

function parseParameters(state: ParserState): MacroParameters {
  const { stream } = state;
  stream.expectOperator('(');
  const names: Name[] = [];
  const defaults: Expression[] = [];
  while (!stream.isOperator(')')) {
    if (names.length > 0) stream.expectOperator(',');
    const name = parseTargetName(state, 'parameter');
    if (names.some((other) => other.name === name.name))
      throw new PythonError(
        'SyntaxError',
        `duplicate argument '${name.name}' in function definition`,
        name.line,
      );
    if (stream.skipOperator('=')) defaults.push(state.parseExpression());
    else if (defaults.length > 0)
      throw syntaxError('non-default argument follows default argument', name.line);
    names.push(name);
  }
  stream.next();
  return { names, defaults };
}

function parseMacro(state: StatementState): MacroDefinition {
  const { line } = state.stream.next();
  const { name } = parseTargetName(state, 'store');
  const parameters = parseParameters(state);
  return { kind: 'macro', name, parameters, body: parseClosedBody(state, 'endmacro'), line };
}

const NO_PARAMETERS: MacroParameters = { names: [], defaults: [] };

function parseCallBlock(state: StatementState): CallBlock {
  const { line } = state.stream.next();
  const parameters = state.stream.isOperator('(') ? parseParameters(state) : NO_PARAMETERS;
  const call = state.parseExpression();
  if (call.kind !== 'call') throw syntaxError('expected call', line);
  return { kind: 'callBlock', call, parameters, body: parseClosedBody(state, 'endcall'), line };
}

function parseGeneration(state: StatementState): CallBlock {
  const { line } = state.stream.next();
  const body = parseClosedBody(state, 'endgeneration');
  return { kind: 'callBlock', call: undefined, parameters: NO_PARAMETERS, body, line };
}

function parseFilterBlock(state: StatementState): Statement {
  const { line } = state.stream.next();
  let filter = parseFilter(state, undefined);
  while (state.stream.skipOperator('|')) filter = parseFilter(state, filter);
  return { kind: 'filterBlock', filter, body: parseClosedBody(state, 'endfilter'), line };
}

function parseWith(state: StatementState): With {
  const { stream } = state;
  const { line } = stream.next();
  const targets: Expression[] = [];
  const values: Expression[] = [];
  while (stream.current.type !== 'block_end') {
    if (targets.length > 0) stream.expectOperator(',');
    targets.push(asParameter(parseTarget(state)));
    stream.expectOperator('=');
    values.push(state.parseExpression());
  }
  return { kind: 'with', targets, values, body: parseClosedBody(state, 'endwith'), line };
}

function asParameter(target: Expression): Expression {
  if (target.kind === 'name') return { ...target, use: 'parameter' };
  return target.kind === 'tuple' ? { ...target, items: target.items.map(asParameter) } : target;
}

function parseAutoEscape(state: StatementState): Statement {
  const { line } = state.stream.next();
  const value = state.parseExpression();
  return { kind: 'autoescape', value, body: parseClosedBody(state, 'endautoescape'), line };
}

function parseBlock(state: StatementState): Statement {
  const { stream } = state;
  const { line } = stream.next();
  const name = stream.expect('name').text;
  const isScoped = stream.skipName('scoped');
  const isRequired = stream.skipName('required');
  const body = parseClosedBody(state, 'endblock');
  stream.skipName(name);
  const isBlank = body.every(
    (part) =>
      part.kind === 'output' && part.parts.every((data) => data.kind === 'data' && data.text.trim() === ''),
  );
  if (isRequired && !isBlank)
    throw syntaxError('Required blocks can only contain comments or whitespace', line);
  return { kind: 'block', name, isScoped, isRequired, body, line };
}

function parsePrint(state: StatementState): Statement {
  const { line } = state.stream.next();
  const parts: Expression[] = [];
  while (state.stream.current.type !== 'block_end') {
    if (parts.length > 0) state.stream.expectOperator(',');
    parts.push(state.parseExpression());
  }
  return { kind: 'output', parts, line };
}

const parseLoopControl =
  (kind: 'break' | 'continue'): StatementParser =>
  ({ stream }) => ({ kind, line: stream.next().line });

const refuse: StatementParser = ({ stream }) => {
  const { text, line } = stream.current;
  throw syntaxError(
    `'${text}' is not supported: a chat template is one file and cannot load others; put the text of the other file in its place`,
    line,
  );
};

export const STATEMENT_PARSERS: ReadonlyMap<string, StatementParser> = new Map<string, StatementParser>([
  ['for', parseFor],
  ['if', parseIf],
  ['set', parseSet],
  ['macro', parseMacro],
  ['call', parseCallBlock],
  ['filter', parseFilterBlock],
  ['with', parseWith],
  ['autoescape', parseAutoEscape],
  ['block', parseBlock],
  ['print', parsePrint],
  ['generation', parseGeneration],
  ['break', parseLoopControl('break')],
  ['continue', parseLoopControl('continue')],
  ['include', refuse],
  ['import', refuse],
  ['from', refuse],
  ['extends', refuse],
]);
