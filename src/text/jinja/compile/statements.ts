/** Compiles statements to functions. */
import { PythonError } from '../python-error.js';
import { isTrue } from '../values/iterate.js';
import type {
  Assign,
  AutoEscape,
  Body,
  Expression,
  If,
  LoopControl,
  Statement,
  With,
} from '../syntax/nodes.js';
import { BREAK, CONTINUE, type Evaluate, type Execute, NORMAL } from './activation.js';
import { compileNamespaceCheck, compilePublishing, compileTarget } from './assignments.js';
import { compileBlock } from './blocks.js';
import { compileCondition } from './calls.js';
import { compileAssignBlock, compileFilterBlock } from './captures.js';
import { enterScope, type Frame, innerFrame, leaveScope } from './frame.js';
import { compileFor } from './loops.js';
import { compileCallBlock, compileMacro } from './macros.js';
import { compileOutput } from './output.js';
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
