/** The place of the compiler in the template, and code that reads and writes variables from there. */
import type { Library, Rendering } from '../values/callable.js';
import { PythonObject, Undefined, type Value } from '../values/value.js';
import type { Body, Expression } from '../syntax/nodes.js';
import type { Activation, Evaluate, Execute } from './activation.js';
import { FunctionScope, type InitialValue, Symbols, type Variable } from './symbols.js';

/** Functions by which parts of the compiler use each other, and what they count. */
export interface CompilerState {
  readonly library: Library;
  readonly expression: (node: Expression, frame: Frame) => Evaluate;
  readonly body: (nodes: Body, frame: Frame) => Execute;
  /** Number of parts of expressions compiled so far: what a statement costs is the difference. */
  partCount: number;
}

/** Whether output is escaped: known, or to be asked at run time. */
type Escaping = 'off' | 'on' | 'volatile';

export interface Frame {
  readonly state: CompilerState;
  readonly symbols: Symbols;
  /** Whether assignments are seen by blocks. */
  readonly isTopLevel: boolean;
  /** Whether unknown filters and tests are errors only when they run. */
  readonly isSoft: boolean;
  readonly escaping: Escaping;
  /** Whether a loop of the same function is around. */
  readonly isInLoop: boolean;
  /** Whether defaults of parameters are evaluated, so that later ones have no value yet. */
  readonly isInDefaults: boolean;
  /** Whether the expression is a constant that is evaluated while the template is compiled. */
  readonly isFolding: boolean;
}

/** Whether output of the frame is escaped now. */
export const isEscaped = ({ escaping }: Frame, rendering: Rendering): boolean =>
  escaping === 'on' || (escaping === 'volatile' && rendering.autoescape);

/** A scope within the function of `frame`. */
export const innerFrame = (frame: Frame): Frame => ({
  ...frame,
  symbols: new Symbols(frame.symbols.scope, frame.symbols),
  isTopLevel: false,
  isSoft: false,
});

/** The scope of a function within that of `frame`. */
export const functionFrame = (frame: Frame): Frame => ({
  ...frame,
  symbols: new Symbols(new FunctionScope(frame.symbols.scope), frame.symbols),
  isTopLevel: false,
  isSoft: false,
  isInLoop: false,
});

/** Number of functions between a place and a variable. */
function distance(frame: Frame, { scope }: Variable): number {
  let count = 0;
  for (let at: FunctionScope | undefined = frame.symbols.scope; at !== scope; at = at?.outer) count++;
  return count;
}

function outward(activation: Activation, count: number): Activation {
  let at = activation;
  for (let i = 0; i < count; i++) at = at.outer!;
  return at;
}

export type ReadSlot = (activation: Activation) => Value | undefined;

export function readVariable(frame: Frame, variable: Variable): ReadSlot {
  const { slot } = variable;
  const count = distance(frame, variable);
  if (count === 0) return (activation) => activation.slots[slot];
  if (count === 1) return (activation) => activation.outer!.slots[slot];
  return (activation) => outward(activation, count).slots[slot];
}

/** Jinja's mark of a variable without a value. Templates see it where a macro outlives the loop whose target it reads. */
class Missing extends PythonObject {
  readonly typeName = 'MissingType';

  override repr(): string {
    return 'missing';
  }
}

const MISSING = new Missing();

/** Reads a name; one that has no value gives undefined. Parameters have a value, save while defaults are evaluated. */
export function readName(frame: Frame, name: string): Evaluate {
  const read = readVariable(frame, frame.symbols.find(name)!);
  const isFilled = frame.symbols.isParameter(name) && !frame.isInDefaults;
  return (activation) => {
    const value = read(activation);
    if (value !== undefined) return value;
    return isFilled ? MISSING : new Undefined(() => `'${name}' is undefined`);
  };
}

export type Write = (activation: Activation, value: Value) => void;

/** Assignments are always to variables of the function that makes them. */
export function writeName(frame: Frame, name: string): Write {
  const { slot } = frame.symbols.find(name)!;
  return (activation, value) => {
    activation.slots[slot] = value;
  };
}

type Step = (activation: Activation) => void;

/** Gives the variables of a scope their first values. */
export function enterScope(frame: Frame): Step {
  const steps = Array.from(frame.symbols.loads(), ({ variable, load }) =>
    loadStep(frame, variable, load),
  ).filter((step) => step !== undefined);
  return inSequence(steps);
}

function loadStep(frame: Frame, { slot }: Variable, load: InitialValue): Step | undefined {
  switch (load.type) {
    case 'parameter':
      return undefined;
    case 'undefined':
      return (activation) => {
        activation.slots[slot] = undefined;
      };
    case 'context': {
      const { name } = load;
      return (activation) => {
        activation.slots[slot] = activation.context.get(name);
      };
    }
    case 'alias': {
      const read = readVariable(frame, load.of);
      return (activation) => {
        activation.slots[slot] = read(activation);
      };
    }
  }
}

/** Takes the values of a scope's variables away, as macros that outlive it see. */
export function leaveScope(frame: Frame): Step {
  const slots = Array.from(frame.symbols.loads(), ({ variable }) => variable.slot);
  return (activation) => {
    for (const slot of slots) activation.slots[slot] = undefined;
  };
}

function inSequence(steps: readonly Step[]): Step {
  return (activation) => {
    for (const step of steps) step(activation);
  };
}
