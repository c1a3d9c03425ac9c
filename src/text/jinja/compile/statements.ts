/** Compiles statements to functions. */
import { PythonError } from '../python-error.js';
import type { Rendering } from '../values/callable.js';
import { escape } from '../values/html.js';
import { isTrue } from '../values/iterate.js';
import { repr, str } from '../values/printing.js';
import { Markup, textOf, Undefined, type Value } from '../values/value.js';
import { descendants } from '../syntax/children.js';
import type {
  Assign,
  AssignBlock,
  AutoEscape,
  Body,
  Expression,
  FilterBlock,
  If,
  LoopControl,
  Output,
  Statement,
  With,
} from '../syntax/nodes.js';
import {
  type Activation,
  BREAK,
  CONTINUE,
  type Evaluate,
  type Execute,
  NORMAL,
  type Signal,
} from './activation.js';
import { compileNamespaceCheck, compileTarget } from './assignments.js';
import { compileBlock } from './blocks.js';
import { compileBlockFilter, compileCondition } from './calls.js';
import { foldToValue } from './folding.js';
import { enterScope, type Frame, innerFrame, isEscaped, leaveScope, readVariable } from './frame.js';
import { compileFor } from './loops.js';
import { compileCallBlock, compileMacro } from './macros.js';
import { noteNames } from './symbol-visitor.js';

export function compileBody(nodes: Body, frame: Frame): Execute {
  const statements = nodes.map((node) => counted(node, frame));
  const [only] = statements;
  if (only === undefined) return () => NORMAL;
  if (statements.length === 1) return only;
  return (activation) => {
    for (const run of statements) {
      const signal = run(activation);
      if (signal !== NORMAL) return signal;
    }
    return NORMAL;
  };
}

/** A statement that counts its parts and notes its line when it runs. Parts of inner bodies count with their statements. */
function counted(node: Statement, frame: Frame): Execute {
  const before = frame.state.partCount;
  const run = compileStatement(node, frame);
  const cost = 1 + (frame.state.partCount - before);
  frame.state.partCount = before;
  const { line } = node;
  return (activation) => {
    activation.rendering.spend(cost);
    activation.rendering.line = line;
    return run(activation);
  };
}

function compileStatement(node: Statement, frame: Frame): Execute {
  switch (node.kind) {
    case 'output':
      return compileOutput(node, frame);
    case 'for':
      return compileFor(node, frame);
    case 'if':
      return compileIf(node, frame);
    case 'macro':
      return compileMacro(node, frame);
    case 'callBlock':
      return compileCallBlock(node, frame);
    case 'filterBlock':
      return compileFilterBlock(node, frame);
    case 'with':
      return compileWith(node, frame);
    case 'assign':
      return compileAssign(node, frame);
    case 'assignBlock':
      return compileAssignBlock(node, frame);
    case 'autoescape':
      return compileAutoEscape(node, frame);
    case 'block':
      return compileBlock(node, frame);
    case 'break':
    case 'continue':
      return compileLoopControl(node, frame);
  }
}

function compileLoopControl({ kind, line }: LoopControl, { isInLoop }: Frame): Execute {
  if (!isInLoop)
    throw new PythonError(
      'SyntaxError',
      kind === 'break' ? "'break' outside loop" : "'continue' not properly in loop",
      line,
    );
  return kind === 'break' ? () => BREAK : () => CONTINUE;
}

type Part = (activation: Activation) => void;

function compileOutput({ parts }: Output, frame: Frame): Execute {
  const writes = parts.map((part): Part => {
    if (part.kind !== 'data') return compilePrint(part, frame);
    const { text } = part;
    return ({ rendering }) => rendering.write(text);
  });
  const [only] = writes;
  if (writes.length === 1)
    return (activation) => {
      only!(activation);
      return NORMAL;
    };
  return (activation) => {
    for (const write of writes) write(activation);
    return NORMAL;
  };
}

function compilePrint(node: Expression, frame: Frame): Part {
  const constant = foldToValue(node, frame);
  if (constant !== undefined && !(frame.escaping === 'volatile' && hasFilter(node)))
    return printConstant(constant, frame);
  const evaluate = frame.state.expression(node, frame);
  const { line } = node;
  if (frame.escaping === 'off')
    return (activation) => {
      const { rendering } = activation;
      rendering.line = line;
      rendering.write(str(rendering, evaluate(activation)));
    };
  return (activation) => {
    const { rendering } = activation;
    const value = evaluate(activation);
    rendering.write(isEscaped(frame, rendering) ? escape(rendering, value).text : str(rendering, value));
  };
}

const hasFilter = (node: Expression): boolean =>
  [...descendants([node], 'filter'), ...descendants([node], 'test')].length > 0;

/** Where only the rendering knows whether to escape, Jinja puts constants out as they are. */
function printConstant(value: Value, { escaping }: Frame): Part {
  let text: string | undefined;
  return ({ rendering }) => {
    text ??= escaping === 'on' ? escape(rendering, value).text : constantText(rendering, value);
    rendering.write(text);
  };
}

/** The text of a constant, which says nothing of the variables: its printing is not noticed. */
const constantText = (rendering: Rendering, value: Value): string =>
  textOf(value) ?? (value instanceof Undefined ? '' : repr(rendering, value));

function compileIf(node: If, frame: Frame): Execute {
  const soft: Frame = { ...frame, isSoft: true };
  const branches = [node, ...node.elifs].map(({ test, body, line }) => ({
    isMet: compileCondition(test, soft),
    run: frame.state.body(body, soft),
    line,
  }));
  const otherwise = frame.state.body(node.otherwise, soft);
  return (activation) => {
    for (const { isMet, run, line } of branches) {
      activation.rendering.line = line;
      if (isMet(activation)) return run(activation);
    }
    return otherwise(activation);
  };
}

function compileAssign({ target, value }: Assign, frame: Frame): Execute {
  const check = target.kind === 'name' ? undefined : compileNamespaceCheck(target, frame);
  const evaluate = frame.state.expression(value, frame);
  const assign = compileTarget(target, frame);
  const publish = compilePublishing(target, frame);
  return (activation) => {
    check?.(activation);
    assign(activation, evaluate(activation));
    publish?.(activation);
    return NORMAL;
  };
}

/** Lets blocks see what is assigned to at the top level. */
function compilePublishing(target: Expression, frame: Frame): Part | undefined {
  if (!frame.isTopLevel) return undefined;
  const variables = Array.from(descendants([target], 'name'), ({ name }) => ({
    name,
    read: readVariable(frame, frame.symbols.find(name)!),
  }));
  return (activation) => {
    for (const { name, read } of variables) activation.context.set(name, read(activation)!);
  };
}

/** Runs a body and returns its text, or the signal by which a loop control left it. */
type Capture = (activation: Activation) => string | Signal;

function compileCapture(body: Body, frame: Frame): Capture {
  const run = frame.state.body(body, frame);
  return (activation) => {
    const { rendering } = activation;
    const outer = rendering.beginCapture();
    const signal = run(activation);
    if (signal === NORMAL) return rendering.endCapture(outer);
    rendering.dropCapture(outer);
    return signal;
  };
}

function compileAssignBlock({ target, filter, body }: AssignBlock, frame: Frame): Execute {
  const inner = innerFrame(frame);
  noteNames(inner.symbols, [...(filter ? [filter] : []), ...body]);
  const capture = compileCapture(body, inner);
  const change = filter && compileBlockFilter(filter, inner);
  const assign = compileTarget(target, frame);
  const publish = compilePublishing(target, frame);
  const [enter, leave] = [enterScope(inner), leaveScope(inner)];
  return (activation) => {
    const { rendering } = activation;
    enter(activation);
    const text = capture(activation);
    if (typeof text !== 'string') return text;
    const value = change ? change(activation, blockText(frame, rendering, text)) : text;
    assign(activation, rendering.autoescape ? new Markup(str(rendering, value)) : value);
    publish?.(activation);
    leave(activation);
    return NORMAL;
  };
}

const blockText = (frame: Frame, rendering: Rendering, text: string): Value =>
  isEscaped(frame, rendering) ? new Markup(text) : text;

function compileFilterBlock({ filter, body }: FilterBlock, frame: Frame): Execute {
  const inner = innerFrame(frame);
  noteNames(inner.symbols, [...body, filter]);
  const capture = compileCapture(body, inner);
  const change = compileBlockFilter(filter, inner);
  const [enter, leave] = [enterScope(inner), leaveScope(inner)];
  return (activation) => {
    const { rendering } = activation;
    enter(activation);
    const text = capture(activation);
    if (typeof text !== 'string') return text;
    rendering.writePart(change(activation, blockText(frame, rendering, text)));
    leave(activation);
    return NORMAL;
  };
}

function compileWith({ targets, values, body }: With, frame: Frame): Execute {
  const inner = innerFrame(frame);
  noteNames(inner.symbols, [...targets, ...body]);
  const assigns = targets.map((target, i) => ({
    write: compileTarget(target, inner),
    evaluate: frame.state.expression(values[i]!, frame),
  }));
  const run = frame.state.body(body, inner);
  const [enter, leave] = [enterScope(inner), leaveScope(inner)];
  return (activation) => {
    enter(activation);
    for (const { write, evaluate } of assigns) write(activation, evaluate(activation));
    const signal = run(activation);
    leave(activation);
    return signal;
  };
}

function compileAutoEscape({ value, body }: AutoEscape, frame: Frame): Execute {
  const outer = innerFrame(frame);
  noteNames(outer.symbols, [value, ...body]);
  const inner: Frame = { ...outer, escaping: escapingOf(value) };
  const evaluate: Evaluate = frame.state.expression(value, outer);
  const run = frame.state.body(body, inner);
  const [enter, leave] = [enterScope(inner), leaveScope(inner)];
  return (activation) => {
    const { rendering } = activation;
    const before = rendering.autoescape;
    enter(activation);
    rendering.autoescape = isTrue(evaluate(activation));
    const signal = run(activation);
    rendering.autoescape = before;
    leave(activation);
    return signal;
  };
}

function escapingOf(value: Expression): Frame['escaping'] {
  if (value.kind !== 'constant') return 'volatile';
  return isTrue(value.value) ? 'on' : 'off';
}
