/** Compiles macros, call blocks and `{% generation %}`. */
import { PythonError } from '../python-error.js';
import { positionalOnly } from '../values/callable.js';
import { Undefined } from '../values/value.js';
import type { CallBlock, MacroDefinition, Name } from '../syntax/nodes.js';
import { Activation, type Evaluate, type Execute, NORMAL } from './activation.js';
import { compileCallWith } from './calls.js';
import { enterScope, type Frame, functionFrame, type Write, writeName } from './frame.js';
import { Macro, type MacroShape, type RunMacro } from './macro.js';
import { noteNames, undeclaredNames } from './symbol-visitor.js';

export function compileMacro(node: MacroDefinition, frame: Frame): Execute {
  const make = compileDefinition(node, frame);
  const assign = writeName(frame, node.name);
  return (activation) => {
    const macro = make(activation);
    assign(activation, macro);
    if (frame.isTopLevel) activation.context.set(node.name, macro);
    return NORMAL;
  };
}

export function compileCallBlock(node: CallBlock, frame: Frame): Execute {
  const make = compileDefinition(node, frame);
  const call = node.call && compileCallWith(node.call, 'caller', frame);
  return (activation) => {
    const { rendering } = activation;
    const body = make(activation);
    const result = call ? call(activation, body) : body.call(rendering, positionalOnly());
    rendering.writePart(result);
    return NORMAL;
  };
}

const SPECIAL = ['caller', 'kwargs', 'varargs'] as const;

/** Compiles the function; what is returned makes the value when the definition is reached. */
function compileDefinition(
  node: MacroDefinition | CallBlock,
  frame: Frame,
): (activation: Activation) => Macro {
  const inner = functionFrame(frame);
  const { names } = node.parameters;
  const parts = [...names, ...node.parameters.defaults, ...node.body];
  noteNames(inner.symbols, parts);
  const used = undeclaredNames(node.body, SPECIAL);
  const isGiven = (name: string): boolean => names.some((parameter) => parameter.name === name);
  refuseCallerWithoutDefault(node, used);
  const special = SPECIAL.filter((name) => used.has(name) && !isGiven(name));
  for (const name of special) inner.symbols.declareParameter(name);
  noteNames(inner.symbols, parts);
  const shape: MacroShape = {
    name: node.kind === 'macro' ? node.name : undefined,
    parameters: names.map(({ name }) => name),
    usesCaller: used.has('caller'),
    usesNamed: special.includes('kwargs'),
    usesPositional: special.includes('varargs'),
  };
  const run = compileFunction(node, inner, special);
  return (activation) => new Macro(shape, run(activation));
}

function refuseCallerWithoutDefault(
  { parameters, line }: MacroDefinition | CallBlock,
  used: ReadonlySet<string>,
): void {
  const position = parameters.names.findIndex(({ name }) => name === 'caller');
  const hasDefault = position >= parameters.names.length - parameters.defaults.length;
  if (used.has('caller') && position >= 0 && !hasDefault)
    throw new PythonError(
      'TemplateAssertionError',
      'When defining macros or call blocks the special "caller" argument must be omitted or be given a default.',
      line,
    );
}

function compileFunction(
  { parameters, body }: MacroDefinition | CallBlock,
  frame: Frame,
  special: readonly string[],
): (definedIn: Activation) => RunMacro {
  const { names, defaults } = parameters;
  const targets = [...names.map(({ name }) => name), ...special].map((name) => writeName(frame, name));
  const fills = names.map((name, i) =>
    compileFill(name, defaults[i - names.length + defaults.length], frame),
  );
  const enter = enterScope(frame);
  const run = frame.state.body(body, frame);
  return (definedIn) => (rendering, values) => {
    const { slotCount } = frame.symbols.scope;
    const activation = new Activation(slotCount, rendering, definedIn.context, definedIn);
    for (const [i, write] of targets.entries()) if (values[i] !== undefined) write(activation, values[i]);
    const outer = rendering.beginCapture();
    enter(activation);
    for (const [i, fill] of fills.entries()) if (values[i] === undefined) fill(activation);
    run(activation);
    return rendering.endCapture(outer);
  };
}

/** Gives a parameter that a call left out its default. */
function compileFill(
  { name }: Name,
  byDefault: MacroDefinition['parameters']['defaults'][number] | undefined,
  frame: Frame,
) {
  const write: Write = writeName(frame, name);
  const value: Evaluate =
    byDefault === undefined
      ? () => new Undefined(() => `parameter '${name}' was not provided`)
      : frame.state.expression(byDefault, { ...frame, isInDefaults: true });
  return (activation: Activation): void => write(activation, value(activation));
}
