/** Compiles `for`. */
import { PythonError } from '../python-error.js';
import { iterate } from '../values/iterate.js';
import { Markup, type Value } from '../values/value.js';
import { descendants } from '../syntax/children.js';
import type { For } from '../syntax/nodes.js';
import { Activation, BREAK, type Execute, NORMAL, type Signal } from './activation.js';
import { compileTarget } from './assignments.js';
import { compileCondition } from './calls.js';
import {
  enterScope,
  type Frame,
  functionFrame,
  isEscaped,
  innerFrame,
  leaveScope,
  type Write,
  writeName,
} from './frame.js';
import { LoopContext, type Recurse } from './loop-context.js';
import { noteLoopTargets, noteNames, undeclaredNames } from './symbol-visitor.js';

/** Runs the loop over items; `recurse` renders it again, deeper. */
type RunLoop = (activation: Activation, items: Value, depth0: number, recurse?: Recurse) => Signal;

export function compileFor(node: For, frame: Frame): Execute {
  refuseLoopTarget(node);
  const items = frame.state.expression(node.items, frame);
  if (node.isRecursive) return compileRecursive(node, frame);
  const run = compileLoop(node, frame, frame);
  return (activation) => run(activation, items(activation), 0);
}

/** A recursive loop is a function, which gets its items. */
function compileRecursive(node: For, frame: Frame): Execute {
  const items = frame.state.expression(node.items, frame);
  const loopFunction = functionFrame(frame);
  const run = compileLoop(node, loopFunction, frame);
  return (activation) => {
    const { rendering, context } = activation;
    const recurse: Recurse = (inner, depth0) => {
      rendering.enter();
      const outerText = rendering.beginCapture();
      const { slotCount } = loopFunction.symbols.scope;
      run(new Activation(slotCount, rendering, context, activation), inner, depth0, recurse);
      const text = rendering.endCapture(outerText);
      rendering.leave();
      return isEscaped(frame, rendering) ? new Markup(text) : text;
    };
    const text = recurse(items(activation), 0);
    rendering.write(text instanceof Markup ? text.text : (text as string));
    return NORMAL;
  };
}

function refuseLoopTarget(node: For): void {
  for (const name of descendants([node], 'name'))
    if (name.use === 'store' && name.name === 'loop')
      throw new PythonError(
        'TemplateAssertionError',
        "Can't assign to special loop variable in for-loop target",
        name.line,
      );
}

const usesLoop = (node: For): boolean =>
  node.isRecursive ||
  undeclaredNames(node.body, ['loop']).has('loop') ||
  [...descendants([node], 'block')].some((block) => block.isScoped);

/**
 * @param around the scope that the loop's scopes are in: that of its function where it is recursive
 * @param outside the scope that the loop stands in
 */
function compileLoop(node: For, around: Frame, outside: Frame): RunLoop {
  const loopFrame: Frame = { ...innerFrame(around), isInLoop: true };
  const hasContext = usesLoop(node);
  if (hasContext) loopFrame.symbols.declareParameter('loop');
  noteLoopTargets(loopFrame.symbols, node.target);
  noteNames(loopFrame.symbols, node.body);
  const { state } = around;
  const filter = node.test === undefined ? undefined : compileLoopTest(node, outside);
  const assign = compileTarget(node.target, loopFrame);
  const setLoop = hasContext ? writeName(loopFrame, 'loop') : undefined;
  const body = state.body(node.body, loopFrame);
  const [enter, leave] = [enterScope(loopFrame), leaveScope(loopFrame)];
  const otherwise = compileElse(node, around);
  const turn = (activation: Activation, item: Value): Signal => {
    activation.rendering.spend(1);
    assign(activation, item);
    enter(activation);
    return body(activation);
  };
  return (activation, items, depth0, recurse) => {
    const { rendering } = activation;
    if (typeof items === 'string' && items !== '') rendering.hasWalkedText = true;
    const all = iterate(rendering, items);
    const kept = filter === undefined ? all : filter(activation, all);
    const count = setLoop
      ? runWithContext(activation, turn, {
          context: new LoopContext(rendering, {
            items: kept,
            origin: filter === undefined ? items : undefined,
            depth0,
            recurse,
          }),
          setLoop,
        })
      : runPlain(activation, turn, kept);
    leave(activation);
    return count === 0 ? otherwise(activation) : NORMAL;
  };
}

type Turn = (activation: Activation, item: Value) => Signal;

/** Number of turns that came to their end, as `else` asks for: a loop that `break` ends in its first turn has none. */
function runPlain(activation: Activation, turn: Turn, items: Iterator<Value>): number {
  let count = 0;
  for (let next = items.next(); next.done !== true; next = items.next()) {
    const signal = turn(activation, next.value);
    if (signal === BREAK) break;
    if (signal === NORMAL) count++;
  }
  return count;
}

function runWithContext(
  activation: Activation,
  turn: Turn,
  { context, setLoop }: { readonly context: LoopContext; readonly setLoop: Write },
): number {
  let count = 0;
  for (let item = context.next(); item !== undefined; item = context.next()) {
    setLoop(activation, context);
    const signal = turn(activation, item);
    if (signal === BREAK) break;
    if (signal === NORMAL) count++;
  }
  return count;
}

function compileElse(node: For, around: Frame): Execute {
  if (node.otherwise.length === 0) return () => NORMAL;
  const frame = innerFrame(around);
  noteNames(frame.symbols, node.otherwise);
  const body = around.state.body(node.otherwise, frame);
  const [enter, leave] = [enterScope(frame), leaveScope(frame)];
  return (activation) => {
    enter(activation);
    const signal = body(activation);
    leave(activation);
    return signal;
  };
}

/** The condition of a loop is a function of its own, which gets all items and returns those to keep. */
function compileLoopTest(node: For, outside: Frame) {
  const frame = functionFrame(outside);
  noteLoopTargets(frame.symbols, node.target);
  noteNames(frame.symbols, [node.test!]);
  const assign = compileTarget(node.target, frame);
  const isKept = compileCondition(node.test!, frame);
  const enter = enterScope(frame);
  return function* keep(activation: Activation, items: Iterator<Value>): Generator<Value> {
    const { rendering, context } = activation;
    // The condition of a recursive loop stands outside of the loop's function.
    const outer = node.isRecursive ? activation.outer : activation;
    const inner = new Activation(frame.symbols.scope.slotCount, rendering, context, outer);
    enter(inner);
    for (let next = items.next(); next.done !== true; next = items.next()) {
      rendering.spend(1);
      assign(inner, next.value);
      if (isKept(inner)) yield next.value;
    }
  };
}
