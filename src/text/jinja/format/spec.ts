/** `format(value, spec)`: Python's small language of alignment, sign, width, grouping, precision and type. */
import { typeError, valueError } from '../python-error.js';
import type { Rendering } from '../values/callable.js';
import { positional, reprFloat, scientific, significant } from '../values/float-text.js';
import { floatOf, numberOf, toFloat } from '../values/numbers.js';
import { str } from '../values/printing.js';
import { substring, textLength } from '../values/text.js';
import { Markup, typeName, type Value } from '../values/value.js';
import { floatDigits, grouped, integerDigits, pad, signOf, trimZeros } from './number-format.js';

interface Spec {
  readonly fill: string;
  readonly align: '' | '<' | '>' | '^' | '=';
  readonly sign: string;
  readonly hasNoNegativeZero: boolean;
  readonly isAlternate: boolean;
  readonly width: number;
  readonly grouping: string;
  readonly precision: number | undefined;
  readonly type: string;
}

// Each part is one optional class of characters, so the pattern cannot backtrack.
const SPEC = /^(?:(.)?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d*)([,_])?(?:\.(\d+))?(.?)$/su;

/** @throws {PythonError} when the specification is malformed or does not fit the type */
export function formatSpec(rendering: Rendering, value: Value, text: string): string {
  const number = numberOf(value);
  if (text === '') return value instanceof Markup ? value.text : str(rendering, value);
  if (typeof value !== 'string' && number === undefined && !(value instanceof Markup))
    throw typeError(`unsupported format string passed to ${typeName(value)}.__format__`);
  const spec = parseSpec(rendering, text, typeName(value));
  if (number === undefined)
    return formatText(rendering, value instanceof Markup ? value.text : (value as string), spec);
  if (!number.isFloat && !'eEfFgG%'.includes(spec.type || 'd'))
    return formatInteger(rendering, BigInt(number.value), spec);
  return formatFloat(rendering, number.isFloat ? floatOf(number) : toFloat(number.value), spec);
}

function parseSpec(rendering: Rendering, text: string, type: string): Spec {
  const match = SPEC.exec(text);
  if (match === null) throw valueError(`Invalid format specifier '${text}' for object of type '${type}'`);
  const [, fill, align, sign, z, alternate, zero, width, grouping, precision, letter] = match;
  const spec: Spec = {
    fill: fill ?? (zero === undefined ? ' ' : '0'),
    align: (align ?? (zero === undefined ? '' : '=')) as Spec['align'],
    sign: sign ?? '',
    hasNoNegativeZero: z !== undefined,
    isAlternate: alternate !== undefined,
    width: Number(width),
    grouping: grouping ?? '',
    precision: precision === undefined ? undefined : Number(precision),
    type: letter ?? '',
  };
  rendering.make(spec.width);
  rendering.make(spec.precision ?? 0);
  rendering.spend(spec.precision ?? 0);
  return spec;
}

const unknownCode = (letter: string, type: string) =>
  valueError(`Unknown format code '${letter}' for object of type '${type}'`);

function formatText(rendering: Rendering, text: string, spec: Spec): string {
  if (spec.type !== '' && spec.type !== 's') throw unknownCode(spec.type, 'str');
  if (spec.sign !== '') throw valueError('Sign not allowed in string format specifier');
  if (spec.hasNoNegativeZero)
    throw valueError('Negative zero coercion (z) not allowed in string format specifier');
  if (spec.isAlternate) throw valueError('Alternate form (#) not allowed in string format specifier');
  if (spec.grouping !== '') throw valueError(`Cannot specify '${spec.grouping}' with 's'.`);
  if (spec.align === '=' && spec.fill !== '0')
    throw valueError("'=' alignment not allowed in string format specifier");
  const cut = spec.precision === undefined ? text : substring(text, 0, spec.precision);
  const align = spec.align === '' || spec.align === '=' ? '<' : spec.align;
  return pad(rendering, cut, spec.width, { align, fill: spec.fill });
}

function formatInteger(rendering: Rendering, value: bigint, spec: Spec): string {
  const letter = spec.type === '' || spec.type === 'n' ? 'd' : spec.type;
  if (!'bcdoxX'.includes(letter)) throw unknownCode(letter, 'int');
  if (spec.precision !== undefined) throw valueError('Precision not allowed in integer format specifier');
  if (spec.hasNoNegativeZero)
    throw valueError('Negative zero coercion (z) not allowed in format specifier with integer');
  if (letter === 'c') return formatCharacter(rendering, value, spec);
  if (spec.grouping === ',' && letter !== 'd') throw valueError(`Cannot specify ',' with '${letter}'.`);
  const { digits, prefix } = integerDigits(value < 0n ? -value : value, letter);
  const sign = signOf(value < 0n, { ...spec, sign: spec.sign || '-' }) + (spec.isAlternate ? prefix : '');
  return place(rendering, { sign, whole: digits, rest: '' }, { ...spec, type: letter });
}

function formatCharacter(rendering: Rendering, value: bigint, spec: Spec): string {
  if (spec.sign !== '') throw valueError("Sign not allowed with integer format specifier 'c'");
  if (value < 0n || value > 0x10ffffn) throw valueError('%c arg not in range(0x110000)');
  const align = spec.align === '' || spec.align === '=' ? '<' : spec.align;
  return pad(rendering, String.fromCodePoint(Number(value)), spec.width, { align, fill: spec.fill });
}

function formatFloat(rendering: Rendering, given: number, spec: Spec): string {
  if (spec.type !== '' && !'eEfFgGn%'.includes(spec.type)) throw unknownCode(spec.type, 'float');
  let text = floatText(given, spec);
  let isNegative = given < 0 || Object.is(given, -0);
  if (spec.hasNoNegativeZero && !/[1-9a-z]/i.test(text)) isNegative = false;
  if (text.startsWith('-')) text = text.slice(1);
  const end = /[^0-9]/.exec(text)?.index ?? text.length;
  const number = {
    sign: signOf(isNegative, { ...spec, sign: spec.sign || '-' }),
    whole: text.slice(0, end),
    rest: text.slice(end),
  };
  return place(rendering, number, spec);
}

function floatText(value: number, { type, precision, isAlternate }: Spec): string {
  if (type === '%') {
    const percent = value * 100;
    return `${floatDigits(percent, 'f', precision ?? 6, isAlternate)}%`;
  }
  if (type !== '') return floatDigits(value, type === 'n' ? 'g' : type, precision ?? 6, isAlternate);
  if (precision === undefined || !Number.isFinite(value)) return reprFloat(value);
  return shortText(value, Math.max(precision, 1));
}

/** Like `g`, but with a digit after the point. */
function shortText(value: number, precision: number): string {
  const rounded = significant(value, precision);
  const digits = trimZeros(rounded.digits);
  if (rounded.exponent < -4 || rounded.exponent >= precision - 1)
    return scientific({ digits, exponent: rounded.exponent }, 'e');
  const text = positional({ digits, exponent: rounded.exponent });
  return text.includes('.') ? text : `${text}.0`;
}

interface Parts {
  readonly sign: string;
  readonly whole: string;
  readonly rest: string;
}

/** Groups the digits before the point and pads the whole. */
function place(rendering: Rendering, { sign, whole, rest }: Parts, spec: Spec): string {
  const size = 'boxX'.includes(spec.type || 'd') ? 4 : 3;
  const group = (digits: string) => (spec.grouping === '' ? digits : grouped(digits, size, spec.grouping));
  if (spec.align !== '=')
    return pad(rendering, sign + group(whole) + rest, spec.width, {
      align: spec.align === '' ? '>' : spec.align,
      fill: spec.fill,
    });
  const room = spec.width - textLength(sign) - rest.length;
  if (spec.fill !== '0' || spec.grouping === '')
    return sign + pad(rendering, group(whole), room, { align: '>', fill: spec.fill }) + rest;
  // Zeros get separators, too; one more zero where the text would begin with a separator.
  let digitCount = whole.length;
  while (digitCount + Math.floor((digitCount - 1) / size) < room) digitCount++;
  return sign + group(whole.padStart(digitCount, '0')) + rest;
}
