/** `+`, `%` and `~`, which join and fill texts as well as they compute. */
import { formatPercent } from '../format/percent.js';
import { typeError } from '../python-error.js';
import { addNumbers, moduloNumbers } from './arithmetic.js';
import type { Rendering } from './callable.js';
import { escape, escapeHtml } from './html.js';
import { refuseUndefined } from './numbers.js';
import { str } from './printing.js';
import { isList, Markup, asText, Tuple, typeName, type Value } from './value.js';

export function addValues(rendering: Rendering, a: Value, b: Value): Value {
  if (typeof a === 'string' && typeof b === 'string') return joinTexts(rendering, a, b);
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isInteger(a) && Number.isInteger(b) && Number.isSafeInteger(sum)) return sum;
  }
  return asText(a) === undefined && asText(b) === undefined && !isSequence(a) && !isSequence(b)
    ? addNumbers(rendering, a, b)
    : concatenate(rendering, a, b);
}

const isSequence = (value: Value): boolean => isList(value) || value instanceof Tuple;

function joinTexts(rendering: Rendering, a: string, b: string): string {
  rendering.join(a.length + b.length);
  return a + b;
}

function concatenate(rendering: Rendering, a: Value, b: Value): Value {
  if (asText(a) !== undefined && asText(b) !== undefined)
    return new Markup(joinTexts(rendering, escape(rendering, a).text, escape(rendering, b).text));
  if (isList(a) && isList(b)) return joinLists(rendering, a, b);
  if (a instanceof Tuple && b instanceof Tuple) return new Tuple(joinLists(rendering, a.items, b.items));
  refuseUndefined(a, b);
  if (typeof a === 'string' || isSequence(a)) {
    const type = typeName(a);
    throw typeError(`can only concatenate ${type} (not "${typeName(b)}") to ${type}`);
  }
  throw typeError(`unsupported operand type(s) for +: '${typeName(a)}' and '${typeName(b)}'`);
}

function joinLists(rendering: Rendering, a: readonly Value[], b: readonly Value[]): Value[] {
  rendering.makeItems(a.length + b.length);
  return [...a, ...b];
}

export function modulo(rendering: Rendering, a: Value, b: Value): Value {
  const format = asText(a);
  if (format === undefined) return moduloNumbers(rendering, a, b);
  rendering.read(format.length);
  if (typeof a === 'string') return formatPercent(rendering, format, b);
  // Safe text escapes what is put in, unless that is safe, too.
  const finish = (value: Value, text: string): string =>
    value instanceof Markup ? value.text : escapeHtml(text);
  return new Markup(formatPercent(rendering, format, b, finish));
}

/** `a ~ b ~ c` */
export function joinAsText(rendering: Rendering, parts: readonly Value[]): string {
  let text = '';
  for (const part of parts) text += str(rendering, part);
  rendering.join(text.length);
  return text;
}

/** `a ~ b ~ c` where texts are escaped: if any part is safe, the others get escaped. */
export function joinAsMarkup(rendering: Rendering, parts: readonly Value[]): Value {
  if (!parts.some((part) => part instanceof Markup)) return joinAsText(rendering, parts);
  return new Markup(
    joinAsText(
      rendering,
      parts.map((part) => escape(rendering, part)),
    ),
  );
}
