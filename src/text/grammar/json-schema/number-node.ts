/** Numbers within bounds, digit by digit. */
import { codePoints } from '../code-points.js';
import type { GrammarBuilder, NodeId } from '../grammar-builder.js';
import type { JsonText } from './json-text.js';

/** A bound in decimal digits: `whole` without leading zeros, `fraction` without trailing ones. */
interface Decimal {
  readonly isNegative: boolean;
  readonly whole: string;
  readonly fraction: string;
}

export interface NumberBounds {
  readonly min: number;
  readonly max: number;
  readonly isMinExcluded: boolean;
  readonly isMaxExcluded: boolean;
}

/** Significant digits with which different texts are different doubles. */
const SAFE_DIGITS = 15;
/** Digits before the point where no bound says more. */
const WHOLE_DIGITS = 9;
const FRACTION_DIGITS = 6;

/** Integers and fractions between bounds. */
export class NumberNodes {
  readonly #builder: GrammarBuilder;
  readonly #text: JsonText;

  constructor(builder: GrammarBuilder, text: JsonText) {
    this.#builder = builder;
    this.#text = text;
  }

  integers({ min, max, isMinExcluded, isMaxExcluded }: NumberBounds): NodeId {
    const limit = 10 ** SAFE_DIGITS - 1;
    const first = Math.max(-limit, isMinExcluded ? Math.floor(min) + 1 : Math.ceil(min));
    const last = Math.min(limit, isMaxExcluded ? Math.ceil(max) - 1 : Math.floor(max));
    const builder = this.#builder;
    return builder.choice(
      this.#naturals(Math.max(0, first), last),
      first < 0
        ? builder.sequence(builder.text('-'), this.#naturals(Math.max(1, -last), -first))
        : builder.nothing,
    );
  }

  /** Numbers in decimal notation between bounds, of which at least one is finite. */
  numbers(bounds: NumberBounds): NodeId {
    const { min, max, isMinExcluded, isMaxExcluded } = bounds;
    const builder = this.#builder;
    const zero = { whole: '0', isIncluded: true };
    const positive = this.#magnitudes(
      min > 0 || (min === 0 && isMinExcluded)
        ? { ...decimalOf(min), isIncluded: !isMinExcluded }
        : { ...zero, fraction: '' },
      max < 0 ? undefined : { ...decimalOf(max), isIncluded: !isMaxExcluded },
    );
    if (min >= 0) return positive;
    const negative = this.#magnitudes(
      max < 0 || (max === 0 && isMaxExcluded)
        ? { ...decimalOf(max), isIncluded: !isMaxExcluded }
        : { ...zero, fraction: '' },
      { ...decimalOf(min), isIncluded: !isMinExcluded },
    );
    const below = builder.sequence(builder.text('-'), negative);
    return max < 0 || (max === 0 && isMaxExcluded) ? below : builder.choice(positive, below);
  }

  /** Multiples of a whole number, in decimal notation without a fraction. */
  multiples(divisor: number): NodeId {
    const builder = this.#builder;
    const rests = Array.from({ length: divisor }, (_, rest) => builder.declare(`rest ${rest} of ${divisor}`));
    const digit = (value: number): NodeId => builder.text(String(value));
    const step = (rest: number, from: number): NodeId[] =>
      Array.from({ length: 10 - from }, (_, i) =>
        builder.sequence(digit(from + i), rests[(rest * 10 + from + i) % divisor]!.node),
      );
    for (const [rest, { rule }] of rests.entries())
      builder.define(rule, builder.choice(rest === 0 ? builder.empty : builder.nothing, ...step(rest, 0)));
    const magnitude = builder.choice(builder.text('0'), ...step(0, 1));
    const short = builder.sequence(
      builder.characters(codePoints([[0x30, 0x39]])),
      this.#text.digits(0, SAFE_DIGITS - 1),
    );
    return builder.sequence(builder.optional(builder.text('-')), builder.both(magnitude, short));
  }

  #naturals(first: number, last: number): NodeId {
    const builder = this.#builder;
    if (first > last) return builder.nothing;
    const [low, high] = [String(first), String(last)];
    if (low.length === high.length) return this.#between(low, high);
    const isBetween = low.length + 1 < high.length;
    return builder.choice(
      this.#between(low, '9'.repeat(low.length)),
      isBetween
        ? builder.sequence(this.#digit(1, 9), this.#text.digits(low.length, high.length - 2))
        : builder.nothing,
      this.#between(`1${'0'.repeat(high.length - 1)}`, high),
    );
  }

  /** Texts of digits, all equally long, from `a` to `b`. */
  #between(a: string, b: string): NodeId {
    const builder = this.#builder;
    if (a.length === 0) return builder.empty;
    const [x, y] = [Number(a[0]), Number(b[0])];
    if (x === y) return builder.sequence(builder.text(a[0]!), this.#between(a.slice(1), b.slice(1)));
    const rest = a.length - 1;
    const [low, high] = [a.slice(1), b.slice(1)];
    const [zeros, nines] = ['0'.repeat(rest), '9'.repeat(rest)];
    // A first digit with all that may follow it belongs to those between.
    return builder.choice(
      low === zeros ? builder.nothing : builder.sequence(builder.text(a[0]!), this.#between(low, nines)),
      builder.sequence(
        this.#digit(low === zeros ? x : x + 1, high === nines ? y : y - 1),
        this.#text.digits(rest, rest),
      ),
      high === nines ? builder.nothing : builder.sequence(builder.text(b[0]!), this.#between(zeros, high)),
    );
  }

  #digit(first: number, last: number): NodeId {
    return this.#builder.characters(codePoints([[0x30 + first, 0x30 + last]]));
  }

  /** Numbers without a sign from `low` to `high`; undefined goes as far as digits are kept. */
  #magnitudes(low: Bound, high: Bound | undefined): NodeId {
    const builder = this.#builder;
    // As for integers: there are no numbers of more digits, so a bound beyond them bounds nothing above, and leaves nothing below.
    if (high === undefined || low.whole.length > SAFE_DIGITS) return builder.nothing;
    const isOpen = high.isOpen || high.whole.length > SAFE_DIGITS;
    const wholeDigits = Math.max(low.whole.length, isOpen ? WHOLE_DIGITS : high.whole.length);
    const fractionDigits = Math.max(
      Math.min(FRACTION_DIGITS, SAFE_DIGITS - wholeDigits),
      low.fraction.length,
      isOpen ? 0 : high.fraction.length,
    );
    const fractions = new FractionNodes(builder, this.#text, fractionDigits);
    const first = Number(low.whole);
    const last = isOpen ? 10 ** wholeDigits : Number(high.whole);
    const atLow = fractions.atLeast(low.fraction, low.isIncluded);
    if (first > last) return builder.nothing;
    const atHigh = fractions.atMost(high.fraction, high.isIncluded);
    if (first === last) return builder.sequence(builder.text(low.whole), builder.both(atLow, atHigh));
    return builder.choice(
      builder.sequence(builder.text(low.whole), atLow),
      builder.sequence(this.#naturals(first + 1, last - 1), fractions.any()),
      isOpen ? builder.nothing : builder.sequence(builder.text(high.whole), atHigh),
    );
  }
}

interface Bound {
  readonly whole: string;
  readonly fraction: string;
  readonly isIncluded: boolean;
  readonly isOpen?: boolean;
}

/** Text behind the digits before the point: nothing, or a point and digits. */
class FractionNodes {
  readonly #builder: GrammarBuilder;
  readonly #text: JsonText;
  readonly #digitCount: number;

  constructor(builder: GrammarBuilder, text: JsonText, digitCount: number) {
    this.#builder = builder;
    this.#text = text;
    this.#digitCount = digitCount;
  }

  any(): NodeId {
    return this.#withPoint(this.#text.digits(1, this.#digitCount), true);
  }

  atLeast(digits: string, isIncluded: boolean): NodeId {
    if (digits === '' && isIncluded) return this.any();
    return this.#withPoint(this.#above(digits, isIncluded, this.#digitCount), false);
  }

  atMost(digits: string, isIncluded: boolean): NodeId {
    const builder = this.#builder;
    if (digits === '')
      return isIncluded
        ? this.#withPoint(builder.repeat(builder.text('0'), 1, this.#digitCount), true)
        : builder.nothing;
    return this.#withPoint(this.#below(digits, isIncluded, this.#digitCount), true);
  }

  #withPoint(digits: NodeId, isOptional: boolean): NodeId {
    const builder = this.#builder;
    const fraction = builder.sequence(builder.text('.'), digits);
    return isOptional ? builder.optional(fraction) : fraction;
  }

  /** Digits that are a larger fraction than `digits`, or an equal one. */
  #above(digits: string, isIncluded: boolean, room: number): NodeId {
    const builder = this.#builder;
    if (digits === '') {
      if (isIncluded) return this.#text.digits(0, room);
      const zeros = Array.from({ length: room }, (_, count) =>
        builder.sequence(
          builder.text('0'.repeat(count)),
          this.#digit(1, 9),
          this.#text.digits(0, room - count - 1),
        ),
      );
      return builder.choice(...zeros);
    }
    const first = Number(digits[0]);
    return builder.choice(
      builder.sequence(this.#digit(first + 1, 9), this.#text.digits(0, room - 1)),
      builder.sequence(builder.text(digits[0]!), this.#above(digits.slice(1), isIncluded, room - 1)),
    );
  }

  /** Digits, at least one, that are a smaller fraction than `digits`, or an equal one. */
  #below(digits: string, isIncluded: boolean, room: number): NodeId {
    const builder = this.#builder;
    const first = Number(digits[0]);
    const rest = digits.slice(1);
    const zeros = builder.repeat(builder.text('0'), 0, room - 1);
    const equal =
      rest === ''
        ? isIncluded
          ? zeros
          : builder.nothing
        : builder.optional(this.#below(rest, isIncluded, room - 1));
    return builder.choice(
      builder.sequence(this.#digit(0, first - 1), this.#text.digits(0, room - 1)),
      builder.sequence(builder.text(digits[0]!), equal),
    );
  }

  #digit(first: number, last: number): NodeId {
    return this.#builder.characters(codePoints([[0x30 + first, 0x30 + last]]));
  }
}

/** The digits of the magnitude of a bound; of an infinite one, that there are none. */
function decimalOf(value: number): Omit<Decimal, 'isNegative'> & { readonly isOpen?: boolean } {
  if (!Number.isFinite(value)) return { whole: '', fraction: '', isOpen: true };
  const magnitude = Math.abs(value);
  const [whole = '0', fraction = ''] = plainDecimal(magnitude).split('.');
  return { whole, fraction };
}

/** Decimal notation without an exponent. */
function plainDecimal(value: number): string {
  const text = String(value);
  const [digits = '', exponent] = text.split('e');
  if (exponent === undefined) return text;
  const [whole = '', fraction = ''] = digits.split('.');
  const shift = Number(exponent);
  if (shift < 0) return `0.${'0'.repeat(-shift - 1)}${whole}${fraction}`;
  return `${whole}${fraction}${'0'.repeat(shift - fraction.length)}`;
}
