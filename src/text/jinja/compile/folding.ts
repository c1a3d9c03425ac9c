/**
 * Evaluates constant expressions when a template is compiled, as Jinja does. That saves time, and it has a meaning: a slice
 * of a constant that has none is undefined, where otherwise it is an error.
 */
import { AloftError } from '../../../core/errors.js';
import { PythonError } from '../python-error.js';
import { Rendering } from '../values/callable.js';
import { Dict, dictPairs } from '../values/dict.js';
import { Range } from '../values/range.js';
import { Float, isList, Markup, Tuple, type Value } from '../values/value.js';
import { childrenOf } from '../syntax/children.js';
import type { Expression } from '../syntax/nodes.js';
import { Activation, Context } from './activation.js';
import type { Frame } from './frame.js';

/** Enough for what templates write down; all else is evaluated when it runs. */
const LIMITS = { maxSteps: 10_000, maxDepth: 50, maxTextLength: 10_000, maxIntegerBits: 10_000 };

/** Filters whose result depends on the rendering. */
const CONTEXT_FILTERS = ['map', 'select', 'reject', 'selectattr', 'rejectattr', 'random'];

const NO_VARIABLES = new Context(() => undefined, new Map());

/** Whether a part depends on variables. */
export const isVariable = (node: Expression): boolean =>
  node.kind === 'name' ||
  node.kind === 'call' ||
  (node.kind === 'filter' && (node.value === undefined || CONTEXT_FILTERS.includes(node.name)));

/** Evaluates what depends on variables, which constants cannot. */
export const impossible = (): never => {
  throw new PythonError('NotImplementedError', 'no constant');
};

/** Whether an expression is a constant, as far as can be said without values: parts that are left out may be none. */
function mayBeConstant(node: Expression): boolean {
  if (isVariable(node)) return false;
  if (node.kind === 'logical') return mayBeConstant(node.left);
  if (node.kind === 'conditional') return mayBeConstant(node.test);
  return childrenOf(node).every((child) => mayBeConstant(child as Expression));
}

/** The value of a constant expression; undefined when it is none, or when its evaluation fails. */
export function foldToValue(node: Expression, frame: Frame): Value | undefined {
  if (!mayBeConstant(node)) return undefined;
  const rendering = new Rendering({
    limits: LIMITS,
    library: frame.state.library,
    now: () => new Date(0),
    watched: new Set(),
  });
  rendering.autoescape = frame.escaping === 'on';
  try {
    const evaluate = frame.state.expression(node, { ...frame, isFolding: true, isSoft: true });
    return evaluate(new Activation(0, rendering, NO_VARIABLES));
  } catch (error) {
    // It fails again when it runs, if it runs.
    if (error instanceof PythonError || error instanceof AloftError) return undefined;
    throw error;
  }
}

/** The value of a constant expression that can take its place within others. */
export function foldToConstant(node: Expression, frame: Frame): Value | undefined {
  const value = foldToValue(node, frame);
  return value !== undefined && isPlain(value) ? value : undefined;
}

/** Whether a value can be written as a literal. */
function isPlain(value: Value): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (value instanceof Float || value instanceof Markup || value instanceof Range) return true;
  if (isList(value)) return value.every(isPlain);
  if (value instanceof Tuple) return value.typeName === 'tuple' && value.items.every(isPlain);
  return value instanceof Dict && Array.from(dictPairs(value)).flat().every(isPlain);
}
