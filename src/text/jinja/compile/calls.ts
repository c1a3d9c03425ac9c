/** Compiles calls, filters and tests. */
import { PythonError, typeError } from '../python-error.js';
import { type CallArguments, type TemplateFunction, NO_NAMED, type Rendering } from '../values/callable.js';
import { dictPairs, isDict } from '../values/dict.js';
import { isTrue, listOf } from '../values/iterate.js';
import { callMethod, callValue } from '../values/lookup.js';
import { repr } from '../values/printing.js';
import { asText, typeName, Undefined, type Value } from '../values/value.js';
import type { Arguments, Call, Expression, Filter, Test } from '../syntax/nodes.js';
import type { Activation, Evaluate } from './activation.js';
import type { Frame } from './frame.js';

type EvaluateArguments = (activation: Activation) => CallArguments;

/** @param first evaluates an argument in front of the others */
function compileArguments(given: Arguments, frame: Frame, first?: Evaluate): EvaluateArguments {
  const compile = (part: Expression): Evaluate => frame.state.expression(part, frame);
  const positional = [...(first ? [first] : []), ...given.positional.map(compile)];
  const evaluateAll = (activation: Activation): Value[] => positional.map((evaluate) => evaluate(activation));
  if (given.named.length === 0 && given.restPositional === undefined && given.restNamed === undefined)
    return (activation) => ({ positional: evaluateAll(activation), named: NO_NAMED });
  const named = given.named.map(({ name, value }) => [name, compile(value)] as const);
  const restPositional = given.restPositional && compile(given.restPositional);
  const restNamed = given.restNamed && compile(given.restNamed);
  return (activation) => {
    const { rendering } = activation;
    const values = evaluateAll(activation);
    if (restPositional) values.push(...listOf(rendering, restPositional(activation)));
    const byName = new Map(named.map(([name, evaluate]) => [name, evaluate(activation)] as const));
    if (restNamed) addNamed(rendering, byName, restNamed(activation));
    return { positional: values, named: byName };
  };
}

function addNamed(rendering: Rendering, named: Map<string, Value>, rest: Value): void {
  if (!isDict(rest)) {
    if (rest instanceof Undefined) rest.fail();
    throw typeError(`argument after ** must be a mapping, not ${typeName(rest)}`);
  }
  for (const [key, value] of dictPairs(rest)) {
    rendering.spend(4);
    const name = asText(key);
    if (name === undefined) throw typeError('keywords must be strings');
    if (named.has(name)) throw typeError(`got multiple values for keyword argument ${repr(rendering, key)}`);
    named.set(name, value);
  }
}

export function compileCall({ callee, given }: Call, frame: Frame): Evaluate {
  const evaluateArguments = compileArguments(given, frame);
  if (callee.kind === 'attribute') {
    const object = frame.state.expression(callee.object, frame);
    const { name } = callee;
    return (activation) => {
      const self = object(activation);
      // Looking the method up comes first where it fails: undefined objects are named before faults of arguments.
      if (self instanceof Undefined) self.fail();
      return callMethod(activation.rendering, self, name, evaluateArguments(activation));
    };
  }
  const evaluate = frame.state.expression(callee, frame);
  return (activation) => callValue(activation.rendering, evaluate(activation), evaluateArguments(activation));
}

/** A call that gets one more named argument. */
export function compileCallWith({ callee, given }: Call, name: string, frame: Frame) {
  const evaluate = frame.state.expression(callee, frame);
  const evaluateArguments = compileArguments(given, frame);
  return (activation: Activation, value: Value): Value => {
    const called = evaluate(activation);
    const { positional, named } = evaluateArguments(activation);
    if (named.has(name)) throw typeError(`got multiple values for keyword argument '${name}'`);
    return callValue(activation.rendering, called, { positional, named: new Map([...named, [name, value]]) });
  };
}

/** The filter or test, or what raises the error of an unknown one. @throws {PythonError} TemplateAssertionError */
function lookUp(kind: 'filter' | 'test', { name, line }: Filter | Test, frame: Frame): TemplateFunction {
  const { library } = frame.state;
  const found = (kind === 'filter' ? library.filters : library.tests).get(name);
  if (found !== undefined) return found;
  if (!frame.isSoft) throw new PythonError('TemplateAssertionError', `No ${kind} named '${name}'.`, line);
  return () => {
    throw new PythonError('TemplateRuntimeError', `No ${kind} named '${name}' found.`);
  };
}

export function compileFilter(node: Filter, frame: Frame): Evaluate {
  if (node.value === undefined)
    throw new PythonError('TemplateSyntaxError', 'a filter has no value here', node.line);
  return compileFilterOf(node, frame.state.expression(node.value, frame), frame);
}

/** A filter of a value that is evaluated otherwise. */
function compileFilterOf(node: Filter, value: Evaluate, frame: Frame): Evaluate {
  const run = lookUp('filter', node, frame);
  const evaluateArguments = compileArguments(node.given, frame, value);
  return (activation) => run(activation.rendering, evaluateArguments(activation));
}

/** The filters of a block's text: a function from the text to the result. */
export function compileBlockFilter(
  node: Filter,
  frame: Frame,
): (activation: Activation, text: Value) => Value {
  const inner = node.value as Filter | undefined;
  const before = inner && compileBlockFilter(inner, frame);
  const run = lookUp('filter', node, frame);
  const evaluateArguments = compileArguments(node.given, frame);
  return (activation, text) => {
    const value = before ? before(activation, text) : text;
    const { positional, named } = evaluateArguments(activation);
    return run(activation.rendering, { positional: [value, ...positional], named });
  };
}

export function compileTest(node: Test, frame: Frame): Evaluate {
  const run = lookUp('test', node, frame);
  const value = frame.state.expression(node.value, frame);
  const evaluateArguments = compileArguments(node.given, frame, value);
  return (activation) => run(activation.rendering, evaluateArguments(activation));
}

/** Whether an expression holds. */
export function compileCondition(node: Expression, frame: Frame): (activation: Activation) => boolean {
  const evaluate = frame.state.expression(node, frame);
  return (activation) => isTrue(evaluate(activation));
}
