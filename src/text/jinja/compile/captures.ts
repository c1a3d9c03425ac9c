/** Compiles `{% set %}` with a body, and `{% filter %}`: both take the text of their body. */
import type { Rendering } from '../values/callable.js';
import { str } from '../values/printing.js';
import { Markup, type Value } from '../values/value.js';
import type { AssignBlock, Body, FilterBlock } from '../syntax/nodes.js';
import { type Activation, type Execute, NORMAL, type Signal } from './activation.js';
import { compilePublishing, compileTarget } from './assignments.js';
import { compileBlockFilter } from './calls.js';
import { enterScope, type Frame, innerFrame, isEscaped, leaveScope } from './frame.js';
import { noteNames } from './symbol-visitor.js';

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

export function compileAssignBlock({ target, filter, body }: AssignBlock, frame: Frame): Execute {
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

export function compileFilterBlock({ filter, body }: FilterBlock, frame: Frame): Execute {
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
