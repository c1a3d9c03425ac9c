/** Compiles expressions to functions. */
import { divide, floorDivide, multiply, negate, plus, power, subtract } from '../values/arithmetic.js';
import type { Rendering } from '../values/callable.js';
import { contains, equals, isOrdered } from '../values/compare.js';
import { Dict } from '../values/dict.js';
import { isTrue } from '../values/iterate.js';
import { getAttribute, getItem, slice } from '../values/lookup.js';
import { addValues, joinAsMarkup, joinAsText, modulo } from '../values/operators.js';
import { Tuple, Undefined, type Value } from '../values/value.js';
import { PythonError } from '../python-error.js';
import type {
  Binary,
  BinaryOperator,
  Comparator,
  Comparison,
  Concatenation,
  Conditional,
  Expression,
  Item,
  Logical,
  Slice,
  UnaryOperation,
} from '../syntax/nodes.js';
import type { Activation, Evaluate } from './activation.js';
import { compileCall, compileFilter, compileTest } from './calls.js';
import { foldToConstant, impossible, isVariable } from './folding.js';
import { type Frame, readName } from './frame.js';

export function compileExpression(node: Expression, frame: Frame): Evaluate {
  frame.state.partCount++;
  if (node.kind !== 'constant' && !frame.isFolding && frame.escaping !== 'volatile') {
    const value = foldToConstant(node, frame);
    if (value !== undefined) return constant(value);
  }
  return compileParts(node, frame);
}

function compileParts(node: Expression, frame: Frame): Evaluate {
  if (frame.isFolding && isVariable(node)) return impossible;
  const compile = (part: Expression): Evaluate => compileExpression(part, frame);
  switch (node.kind) {
    case 'constant':
      return constant(node.value);
    case 'name':
      return readName(frame, node.name);
    case 'list':
      return all(node.items.map(compile));
    case 'tuple':
      return tuple(all(node.items.map(compile)));
    case 'dict':
      return dict(node.pairs.map(({ key, value }) => [compile(key), compile(value)]));
    case 'conditional':
      return conditional(node, { ...frame, isSoft: true });
    case 'binary':
      return binary(node, compile);
    case 'logical':
      return logical(node, compile);
    case 'unary':
      return unary(node, compile);
    case 'concatenation':
      return concatenation(node, frame);
    case 'comparison':
      return comparison(node, compile);
    case 'attribute':
      return attribute(compile(node.object), node.name);
    case 'item':
      return item(node, frame);
    case 'call':
      return compileCall(node, frame);
    case 'filter':
      return compileFilter(node, frame);
    case 'test':
      return compileTest(node, frame);
    case 'slice':
    case 'namespaceTarget':
      throw new PythonError('SyntaxError', 'invalid syntax', node.line);
  }
}

const constant =
  (value: Value): Evaluate =>
  () =>
    value;

const all =
  (items: readonly Evaluate[]) =>
  (activation: Activation): Value[] =>
    items.map((evaluate) => evaluate(activation));

const tuple =
  (items: (activation: Activation) => Value[]): Evaluate =>
  (activation) =>
    new Tuple(items(activation));

const dict =
  (pairs: readonly (readonly [Evaluate, Evaluate])[]): Evaluate =>
  (activation) =>
    Dict.of(
      activation.rendering,
      pairs.map(([key, value]) => [key(activation), value(activation)] as const),
    );

function conditional({ test, value, otherwise, line }: Conditional, frame: Frame): Evaluate {
  const [isMet, whenMet] = [compileExpression(test, frame), compileExpression(value, frame)];
  const whenNot =
    otherwise === undefined
      ? frame.isFolding
        ? impossible
        : () =>
            new Undefined(
              () =>
                `the inline if-expression on line ${line} evaluated to false and no else section was defined.`,
            )
      : compileExpression(otherwise, frame);
  return (activation) => (isTrue(isMet(activation)) ? whenMet(activation) : whenNot(activation));
}

type Operation = (rendering: Rendering, left: Value, right: Value) => Value;

const OPERATIONS: Readonly<Record<BinaryOperator, Operation>> = {
  '+': addValues,
  '-': subtract,
  '*': multiply,
  '/': divide,
  '//': floorDivide,
  '%': modulo,
  '**': power,
};

function binary({ operator, left, right }: Binary, compile: (part: Expression) => Evaluate): Evaluate {
  const run = OPERATIONS[operator];
  const [first, second] = [compile(left), compile(right)];
  return (activation) => run(activation.rendering, first(activation), second(activation));
}

function logical({ operator, left, right }: Logical, compile: (part: Expression) => Evaluate): Evaluate {
  const [first, second] = [compile(left), compile(right)];
  const goesOnWhen = operator === 'and';
  return (activation) => {
    const value = first(activation);
    return isTrue(value) === goesOnWhen ? second(activation) : value;
  };
}

function unary({ operator, operand }: UnaryOperation, compile: (part: Expression) => Evaluate): Evaluate {
  const evaluate = compile(operand);
  if (operator === 'not') return (activation) => !isTrue(evaluate(activation));
  const run = operator === '-' ? negate : plus;
  return (activation) => run(evaluate(activation));
}

function concatenation({ parts }: Concatenation, frame: Frame): Evaluate {
  const evaluate = all(parts.map((part) => compileExpression(part, frame)));
  const join = frame.escaping === 'off' ? joinAsText : joinAsMarkup;
  return (activation) => join(activation.rendering, evaluate(activation));
}

type Relation = (rendering: Rendering, left: Value, right: Value) => boolean;

const RELATIONS: Readonly<Record<Comparator, Relation>> = {
  '==': equals,
  '!=': (rendering, left, right) => !equals(rendering, left, right),
  '<': (rendering, left, right) => isOrdered(rendering, left, right, '<'),
  '<=': (rendering, left, right) => isOrdered(rendering, left, right, '<='),
  '>': (rendering, left, right) => isOrdered(rendering, left, right, '>'),
  '>=': (rendering, left, right) => isOrdered(rendering, left, right, '>='),
  in: (rendering, left, right) => contains(rendering, right, left),
  'not in': (rendering, left, right) => !contains(rendering, right, left),
};

/** `a < b < c`: each operand is evaluated once, and none after a relation that does not hold. */
function comparison({ first, rest }: Comparison, compile: (part: Expression) => Evaluate): Evaluate {
  const start = compile(first);
  const links = rest.map(({ operator, operand }) => ({
    holds: RELATIONS[operator],
    evaluate: compile(operand),
  }));
  if (links.length === 1) {
    const { holds, evaluate } = links[0]!;
    return (activation) => holds(activation.rendering, start(activation), evaluate(activation));
  }
  return (activation) => {
    let left = start(activation);
    for (const { holds, evaluate } of links) {
      const right = evaluate(activation);
      if (!holds(activation.rendering, left, right)) return false;
      left = right;
    }
    return true;
  };
}

const attribute =
  (object: Evaluate, name: string): Evaluate =>
  (activation) =>
    getAttribute(activation.rendering, object(activation), name);

function item({ object, key }: Item, frame: Frame): Evaluate {
  const compile = (part: Expression): Evaluate => compileExpression(part, frame);
  const container = compile(object);
  if (key.kind === 'slice') return sliceOf(container, key, frame);
  const index = compile(key);
  return (activation) => getItem(activation.rendering, container(activation), index(activation));
}

function sliceOf(container: Evaluate, { start, stop, step }: Slice, frame: Frame): Evaluate {
  const bound = (part: Expression | undefined): Evaluate =>
    part === undefined ? constant(null) : compileExpression(part, frame);
  const [first, last, by] = [bound(start), bound(stop), bound(step)];
  const run = frame.isFolding ? sliceOfConstant : slice;
  return (activation) => {
    const object = container(activation);
    const bounds = { start: first(activation), stop: last(activation), step: by(activation) };
    return run(activation.rendering, object, bounds);
  };
}

/** A slice that is undefined where the types have none. */
const sliceOfConstant: typeof slice = (rendering, object, bounds) => {
  try {
    return slice(rendering, object, bounds);
  } catch (error) {
    if (!(error instanceof PythonError) || error.type !== 'TypeError') throw error;
    return new Undefined(() => error.message);
  }
};
