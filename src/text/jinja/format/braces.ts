/** `'{0.name!r:>10}'.format(...)`, within the sandbox: fields look up attributes as templates do. */
import { PythonError, valueError } from '../python-error.js';
import type { CallArguments, Rendering } from '../values/callable.js';
import { getAttribute, getItem } from '../values/lookup.js';
import { escapeNonAscii, repr, str } from '../values/printing.js';
import type { Value } from '../values/value.js';
import { formatSpec } from './spec.js';

/** Fields within the specifications of fields within ... */
const MAX_NESTING = 2;

/** Turns a value into text, given its specification. */
export type FormatField = (rendering: Rendering, value: Value, spec: string) => string;

interface Literal {
  readonly text: string;
}
interface Field {
  readonly name: string;
  readonly conversion: string | undefined;
  readonly spec: string;
}

class BraceFormat {
  readonly #rendering: Rendering;
  readonly #given: CallArguments;
  readonly #formatField: FormatField;
  /** Number of the next field without a name; undefined once fields have numbers. */
  #next: number | undefined = 0;

  constructor(rendering: Rendering, given: CallArguments, formatField: FormatField) {
    this.#rendering = rendering;
    this.#given = given;
    this.#formatField = formatField;
  }

  run(format: string, nesting: number): string {
    if (nesting < 0) throw valueError('Max string recursion exceeded');
    this.#rendering.walk(format.length);
    let result = '';
    for (const part of parse(format)) {
      this.#rendering.spend(1);
      result += 'text' in part ? part.text : this.#fill(part, nesting);
      this.#rendering.join(result.length);
    }
    return result;
  }

  #fill({ name, conversion, spec }: Field, nesting: number): string {
    const value = convert(this.#rendering, this.#look(name), conversion);
    return this.#formatField(this.#rendering, value, this.run(spec, nesting - 1));
  }

  #look(name: string): Value {
    const end = /[.[]/.exec(name)?.index ?? name.length;
    let value = this.#argument(name.slice(0, end));
    for (const { isAttribute, key } of steps(name, end)) {
      const rendering = this.#rendering;
      value = isAttribute ? getAttribute(rendering, value, key) : getItem(rendering, value, keyOf(key));
    }
    return value;
  }

  #argument(name: string): Value {
    const isNumber = /^\d+$/.test(name);
    if (name !== '' && !isNumber) {
      const value = this.#given.named.get(name);
      if (value === undefined) throw new PythonError('KeyError', `'${name}'`);
      return value;
    }
    const index = this.#index(name);
    const value = this.#given.positional[index];
    if (value === undefined)
      throw new PythonError(
        'IndexError',
        `Replacement index ${index} out of range for positional args tuple`,
      );
    return value;
  }

  #index(name: string): number {
    if (name === '') {
      if (this.#next === undefined)
        throw valueError('cannot switch from manual field specification to automatic field numbering');
      return this.#next++;
    }
    if (this.#next !== undefined && this.#next > 0)
      throw valueError('cannot switch from automatic field numbering to manual field specification');
    this.#next = undefined;
    return Number(name);
  }
}

/** @throws {PythonError} for a malformed format or a missing argument */
export const formatBraces = (
  rendering: Rendering,
  format: string,
  given: CallArguments,
  formatField: FormatField = formatSpec,
): string => new BraceFormat(rendering, given, formatField).run(format, MAX_NESTING);

const keyOf = (key: string): Value => (/^\d+$/.test(key) ? Number(key) : key);

function convert(rendering: Rendering, value: Value, conversion: string | undefined): Value {
  switch (conversion) {
    case undefined:
      return value;
    case 's':
      return str(rendering, value);
    case 'r':
      return repr(rendering, value);
    case 'a':
      return escapeNonAscii(repr(rendering, value));
    default:
      throw valueError(`Unknown conversion specifier ${conversion}`);
  }
}

/** Attributes and items after the first part of a field's name. */
function* steps(name: string, start: number): Generator<{ isAttribute: boolean; key: string }> {
  for (let at = start; at < name.length;) {
    const isAttribute = name[at] === '.';
    if (!isAttribute && name[at] !== '[')
      throw valueError("Only '.' or '[' may follow ']' in format field specifier");
    const from = at + 1;
    const found = isAttribute ? /[.[]/.exec(name.slice(from))?.index : name.indexOf(']', from) - from;
    if (found !== undefined && found < 0) throw valueError("Missing ']' in format string");
    const end = found === undefined ? name.length : from + found;
    if (end === from) throw valueError('Empty attribute in format string');
    yield { isAttribute, key: name.slice(from, end) };
    at = isAttribute ? end : end + 1;
  }
}

/** Literal text and fields of a format. */
function* parse(format: string): Generator<Literal | Field> {
  let [literal, at] = ['', 0];
  while (at < format.length) {
    const character = format[at]!;
    if (character !== '{' && character !== '}') {
      const end = braceAfter(format, at);
      literal += format.slice(at, end);
      at = end;
    } else if (format[at + 1] === character) {
      literal += character;
      at += 2;
    } else {
      if (character === '}') throw valueError("Single '}' encountered in format string");
      if (at + 1 === format.length) throw valueError("Single '{' encountered in format string");
      if (literal !== '') yield { text: literal };
      literal = '';
      const end = fieldEnd(format, at + 1);
      yield parseField(format.slice(at + 1, end));
      at = end + 1;
    }
  }
  if (literal !== '') yield { text: literal };
}

function braceAfter(format: string, start: number): number {
  let at = start;
  while (at < format.length && format[at] !== '{' && format[at] !== '}') at++;
  return at;
}

function fieldEnd(format: string, start: number): number {
  let depth = 1;
  for (let at = start; at < format.length; at++) {
    depth += format[at] === '{' ? 1 : format[at] === '}' ? -1 : 0;
    if (depth === 0) return at;
  }
  throw valueError("expected '}' before end of string");
}

function parseField(text: string): Field {
  // Braces and colons within brackets belong to the key.
  let at = 0;
  for (let isInKey = false; at < text.length; at++) {
    if (text[at] === '[') isInKey = true;
    else if (text[at] === ']') isInKey = false;
    else if (!isInKey && (text[at] === ':' || text[at] === '!')) break;
  }
  const name = text.slice(0, at);
  if (name.includes('{')) throw valueError("unexpected '{' in field name");
  if (text[at] !== '!') return { name, conversion: undefined, spec: text.slice(at + 1) };
  const conversion = text[at + 1];
  if (conversion === undefined) throw valueError('end of string while looking for conversion specifier');
  const rest = text.slice(at + 2);
  if (rest !== '' && rest[0] !== ':') throw valueError("expected ':' after conversion specifier");
  return { name, conversion, spec: rest.slice(1) };
}
