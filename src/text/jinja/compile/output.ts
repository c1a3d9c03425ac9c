/** Compiles output: text between tags, and expressions that are printed. */
import type { Rendering } from '../values/callable.js';
import { escape } from '../values/html.js';
import { repr, str } from '../values/printing.js';
import { asText, Undefined, type Value } from '../values/value.js';
import { descendants } from '../syntax/children.js';
import type { Expression, Output } from '../syntax/nodes.js';
import { type Activation, type Execute, NORMAL } from './activation.js';
import { foldToValue } from './folding.js';
import { type Frame, isEscaped } from './frame.js';

type Part = (activation: Activation) => void;

export function compileOutput({ parts }: Output, frame: Frame): Execute {
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
  asText(value) ?? (value instanceof Undefined ? '' : repr(rendering, value));
