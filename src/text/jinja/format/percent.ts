/** `'%s' % value` */
import { PythonError, typeError, valueError } from '../python-error.js';
import type { Rendering } from '../values/callable.js';
import { dictGet, isDict } from '../values/dict.js';
import { floatOf, intOf, numberOf, toFloat, truncateFloat } from '../values/numbers.js';
import { escapeNonAscii, repr, str } from '../values/printing.js';
import { isSimple, substring } from '../values/text.js';
import { isList, asText, Tuple, typeName, Undefined, type Value } from '../values/value.js';
import { floatDigits, integerDigits, pad, signOf } from './number-format.js';

interface Directive {
  readonly key: string | undefined;
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly letter: string;
}

/** Turns what `%s` and `%r` made into what is put in: safe text escapes. */
export type Finish = (value: Value, text: string) => string;

/** Reads a format from left to right and takes its values one by one. */
class PercentFormat {
  readonly #rendering: Rendering;
  readonly #format: string;
  readonly #given: Value;
  #at = 0;
  #used = 0;
  #hasKeys = false;

  constructor(rendering: Rendering, format: string, given: Value) {
    this.#rendering = rendering;
    this.#format = format;
    this.#given = given;
  }

  run(finish: Finish): string {
    let result = '';
    for (;;) {
      const next = this.#format.indexOf('%', this.#at);
      result += this.#format.slice(this.#at, next < 0 ? undefined : next);
      if (next < 0) break;
      this.#at = next + 1;
      this.#rendering.spend(1);
      const directive = this.#readDirective();
      result += directive.letter === '%' ? '%' : this.#convert(directive, finish);
      this.#rendering.join(result.length);
    }
    this.#refuseUnused();
    return result;
  }

  #readDirective(): Directive {
    const key = this.#format[this.#at] === '(' ? this.#readKey() : undefined;
    const flags = this.#readWhile('-+ #0');
    const width = this.#readCount() ?? 0;
    const precision = this.#format[this.#at] === '.' ? this.#readPrecision() : undefined;
    this.#readWhile('hlL');
    const letter = this.#format[this.#at++];
    if (letter === undefined) throw valueError('incomplete format');
    return { key, flags: width < 0 ? `${flags}-` : flags, width: Math.abs(width), precision, letter };
  }

  #readKey(): string {
    let depth = 1;
    const start = ++this.#at;
    for (; depth > 0; this.#at++) {
      const character = this.#format[this.#at];
      if (character === undefined) throw valueError('incomplete format key');
      depth += character === '(' ? 1 : character === ')' ? -1 : 0;
    }
    return this.#format.slice(start, this.#at - 1);
  }

  #readWhile(characters: string): string {
    const start = this.#at;
    while (this.#at < this.#format.length && characters.includes(this.#format[this.#at]!)) this.#at++;
    return this.#format.slice(start, this.#at);
  }

  #readPrecision(): number {
    this.#at++;
    const precision = Math.max(0, this.#readCount() ?? 0);
    this.#rendering.spend(precision);
    return precision;
  }

  #readCount(): number | undefined {
    if (this.#format[this.#at] === '*') {
      this.#at++;
      const count = intOf(this.#take(undefined));
      if (count === undefined) throw typeError('* wants int');
      return this.#bounded(Number(count));
    }
    const digits = this.#readWhile('0123456789');
    return digits === '' ? undefined : this.#bounded(Number(digits));
  }

  #bounded(count: number): number {
    this.#rendering.make(Math.abs(count));
    return count;
  }

  #take(key: string | undefined): Value {
    if (key !== undefined) return this.#takeKey(key);
    const values = this.#given instanceof Tuple ? this.#given.items : [this.#given];
    const value = this.#hasKeys ? undefined : values[this.#used];
    if (value === undefined) throw typeError('not enough arguments for format string');
    this.#used++;
    return value;
  }

  #takeKey(key: string): Value {
    this.#hasKeys = true;
    if (this.#given instanceof Undefined) this.#given.fail();
    if (!isDict(this.#given)) throw typeError('format requires a mapping');
    const value = dictGet(this.#rendering, this.#given, key);
    if (value === undefined) throw new PythonError('KeyError', `'${key}'`);
    return value;
  }

  /** Values that are no tuple, list or dictionary have to be used. */
  #refuseUnused(): void {
    const given = this.#given;
    const isMapping = isDict(given) || isList(given) || given instanceof Undefined;
    const count = given instanceof Tuple ? given.items.length : isMapping || this.#hasKeys ? 0 : 1;
    if (this.#used < count && !this.#hasKeys)
      throw typeError('not all arguments converted during string formatting');
  }

  #convert(directive: Directive, finish: Finish): string {
    const value = this.#take(directive.key);
    const rendering = this.#rendering;
    switch (directive.letter) {
      case 's':
        return padText(rendering, finish(value, str(rendering, value)), directive);
      case 'r':
        return padText(rendering, finish(value, repr(rendering, value)), directive);
      case 'a':
        return padText(rendering, escapeNonAscii(repr(rendering, value)), directive);
      case 'c':
        return padText(rendering, characterOf(value), { ...directive, precision: undefined });
      case 'd':
      case 'i':
      case 'u':
      case 'o':
      case 'x':
      case 'X':
        return padNumber(rendering, formatInteger(value, directive), directive);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return padNumber(rendering, formatFloat(value, directive), directive);
      default:
        throw valueError(
          `unsupported format character '${directive.letter}' (0x${directive.letter.charCodeAt(0).toString(16)}) at index ${this.#at - 1}`,
        );
    }
  }
}

/** @throws {PythonError} when values are missing, left over or of the wrong type */
export const formatPercent = (
  rendering: Rendering,
  format: string,
  given: Value,
  finish: Finish = (_, text) => text,
): string => new PercentFormat(rendering, format, given).run(finish);

function padText(rendering: Rendering, text: string, { precision, width, flags }: Directive): string {
  const cut =
    precision === undefined || (isSimple(text) && text.length <= precision)
      ? text
      : substring(text, 0, precision);
  return pad(rendering, cut, width, { align: flags.includes('-') ? '<' : '>', fill: ' ' });
}

function characterOf(value: Value): string {
  const text = asText(value);
  if (text !== undefined) {
    if (Array.from(text).length === 1) return text;
  } else {
    const code = intOf(value);
    if (code !== undefined) {
      if (code >= 0 && code <= 0x10ffff) return String.fromCodePoint(Number(code));
      throw new PythonError('OverflowError', '%c arg not in range(0x110000)');
    }
  }
  throw typeError('%c requires int or char');
}

interface NumberText {
  readonly sign: string;
  readonly body: string;
}

const styleOf = (flags: string) => ({
  sign: flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '-',
  isAlternate: flags.includes('#'),
});

function formatInteger(value: Value, { letter, flags, precision }: Directive): NumberText {
  const style = styleOf(flags);
  const isDecimal = 'diu'.includes(letter);
  const number = numberOf(value);
  const int = number?.isFloat && isDecimal ? intOf(truncateFloat(number.value)) : intOf(value);
  if (int === undefined) {
    if (value instanceof Undefined && isDecimal) value.fail();
    const wanted = isDecimal ? 'a real number is required' : 'an integer is required';
    throw typeError(`%${letter} format: ${wanted}, not ${typeName(value)}`);
  }
  const big = BigInt(int);
  const { digits, prefix } = integerDigits(big < 0n ? -big : big, isDecimal ? 'd' : letter);
  const sign = signOf(big < 0n, style) + (style.isAlternate ? prefix : '');
  return { sign, body: digits.padStart(precision ?? 0, '0') };
}

function formatFloat(value: Value, { letter, flags, precision }: Directive): NumberText {
  const style = styleOf(flags);
  const number = numberOf(value);
  if (value instanceof Undefined) value.fail();
  if (number === undefined) throw typeError(`must be real number, not ${typeName(value)}`);
  const float = number.isFloat ? floatOf(number) : toFloat(number.value);
  const body = floatDigits(float, letter, precision ?? 6, style.isAlternate);
  return { sign: signOf(float < 0 || Object.is(float, -0), style), body };
}

function padNumber(rendering: Rendering, { sign, body }: NumberText, { flags, width }: Directive): string {
  if (flags.includes('-')) return pad(rendering, sign + body, width, { align: '<', fill: ' ' });
  if (flags.includes('0')) return sign + pad(rendering, body, width - sign.length, { align: '>', fill: '0' });
  return pad(rendering, sign + body, width, { align: '>', fill: ' ' });
}
