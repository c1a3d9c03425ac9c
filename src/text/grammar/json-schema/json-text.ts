/** Grammar of JSON texts as this engine writes them: RFC 8259 with little white space and numbers that doubles hold. */
import { type CodePoints, codePoints, intersect, PLAIN_CHARACTERS, subtractRanges } from '../code-points.js';
import type { GrammarBuilder, NodeId } from '../grammar-builder.js';

/** Characters with an escape of two characters. */
const SHORT_ESCAPES: readonly (readonly [character: string, escape: string])[] = [
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
];
const DIGIT = codePoints([[0x30, 0x39]]);
const HEX = codePoints([
  [0x30, 0x39],
  [0x41, 0x46],
  [0x61, 0x66],
]);
/** Most digits before and behind the point of a number, and of its exponent: what JSON.parse gives back as a finite number. */
const INTEGER_DIGITS = 15;
const FRACTION_DIGITS = 15;
const EXPONENT_DIGITS = 2;
/** White space in a row: enough to indent deeply, and an end of it. */
const MAX_INDENT = 32;

/** Nodes that all JSON texts share. */
export class JsonText {
  /** Nothing, a space, or a line break with an indentation. */
  readonly space: NodeId;
  readonly comma: NodeId;
  readonly colon: NodeId;
  readonly quote: NodeId;
  readonly integer: NodeId;
  readonly number: NodeId;
  /** One character of a string, in any of its spellings. */
  readonly character: NodeId;
  readonly #builder: GrammarBuilder;
  #value: NodeId | undefined;

  constructor(builder: GrammarBuilder) {
    this.#builder = builder;
    const indent = builder.repeat(
      builder.characters(
        codePoints([
          [9, 9],
          [32, 32],
        ]),
      ),
      0,
      MAX_INDENT,
    );
    const lineBreak = builder.texts(['\n', '\r\n']);
    this.space = builder.choice(builder.empty, builder.text(' '), builder.sequence(lineBreak, indent));
    this.comma = builder.sequence(this.space, builder.text(','), this.space);
    this.colon = builder.sequence(this.space, builder.text(':'), this.space);
    this.quote = builder.text('"');
    this.integer = this.#integerNode();
    this.number = this.#numberNode();
    this.character = this.#characterNode();
  }

  /** A character of a set in its one spelling that programs write. */
  characters(set: CodePoints): NodeId {
    const builder = this.#builder;
    const escapes = SHORT_ESCAPES.filter(([character]) => {
      const point = character.codePointAt(0)!;
      return intersect(set, [point, point]).length > 0;
    });
    const control = subtractRanges(
      intersect(set, [0, 0x1f]),
      codePoints(SHORT_ESCAPES.map(([c]) => [c.codePointAt(0)!, c.codePointAt(0)!])),
    );
    const codes = Array.from({ length: 0x20 }, (_, point) => point).filter(
      (point) => intersect(control, [point, point]).length > 0,
    );
    return builder.choice(
      builder.characters(intersect(set, PLAIN_CHARACTERS)),
      builder.texts([
        ...escapes.map(([, escape]) => escape),
        ...codes.map((point) => `\\u${point.toString(16).padStart(4, '0')}`),
      ]),
    );
  }

  /** A string of a content. */
  quoted(content: NodeId): NodeId {
    return this.#builder.sequence(this.quote, content, this.quote);
  }

  string(min: number, max: number): NodeId {
    return this.quoted(this.#builder.repeat(this.character, min, max));
  }

  /** A member of an object. */
  member(key: NodeId, value: NodeId): NodeId {
    return this.#builder.sequence(key, this.colon, value);
  }

  object(members: NodeId): NodeId {
    const builder = this.#builder;
    return builder.sequence(builder.text('{'), this.space, members, this.space, builder.text('}'));
  }

  array(items: NodeId): NodeId {
    const builder = this.#builder;
    return builder.sequence(builder.text('['), this.space, items, this.space, builder.text(']'));
  }

  /** `min` to `max` times `part`, with commas between. */
  list(part: NodeId, min: number, max: number): NodeId {
    const builder = this.#builder;
    if (max === 0 || part === builder.nothing) return min > 0 ? builder.nothing : builder.empty;
    const rest = builder.repeat(builder.sequence(this.comma, part), Math.max(0, min - 1), max - 1);
    const some = builder.sequence(part, rest);
    return min === 0 ? builder.optional(some) : some;
  }

  /** Any JSON value. */
  get value(): NodeId {
    if (this.#value !== undefined) return this.#value;
    const builder = this.#builder;
    const { rule, node } = builder.declare('JSON value');
    this.#value = node;
    const scalars = builder.texts(['true', 'false', 'null']);
    builder.define(
      rule,
      builder.choice(
        this.string(0, Infinity),
        this.number,
        scalars,
        this.array(this.list(node, 0, Infinity)),
        this.anyObject,
      ),
    );
    return node;
  }

  get anyObject(): NodeId {
    return this.object(this.list(this.member(this.string(0, Infinity), this.value), 0, Infinity));
  }

  digits(min: number, max: number): NodeId {
    return this.#builder.repeat(this.#builder.characters(DIGIT), min, max);
  }

  #integerNode(): NodeId {
    const builder = this.#builder;
    const long = builder.sequence(
      builder.characters(codePoints([[0x31, 0x39]])),
      this.digits(0, INTEGER_DIGITS - 1),
    );
    return builder.sequence(builder.optional(builder.text('-')), builder.choice(builder.text('0'), long));
  }

  #numberNode(): NodeId {
    const builder = this.#builder;
    const fraction = builder.sequence(builder.text('.'), this.digits(1, FRACTION_DIGITS));
    const sign = builder.optional(
      builder.characters(
        codePoints([
          [0x2b, 0x2b],
          [0x2d, 0x2d],
        ]),
      ),
    );
    const exponent = builder.sequence(builder.texts(['e', 'E']), sign, this.digits(1, EXPONENT_DIGITS));
    return builder.sequence(this.integer, builder.optional(fraction), builder.optional(exponent));
  }

  /** Escapes of surrogates stand in pairs, so that each counts as one character, as it does for validators. */
  #characterNode(): NodeId {
    const builder = this.#builder;
    const hex = builder.characters(HEX);
    const of = (characters: string): NodeId =>
      builder.characters(codePoints(Array.from(characters, (c) => [c.charCodeAt(0), c.charCodeAt(0)])));
    const escape = builder.text('\\u');
    const d = of('dD');
    const unit = builder.choice(
      builder.sequence(builder.characters(subtractRanges(HEX, [0x44, 0x44, 0x64, 0x64])), hex, hex, hex),
      builder.sequence(d, of('01234567'), hex, hex),
    );
    const pair = builder.sequence(d, of('89abAB'), hex, hex, escape, d, of('cdefCDEF'), hex, hex);
    return builder.choice(
      builder.characters(PLAIN_CHARACTERS),
      builder.texts([...SHORT_ESCAPES.map(([, short]) => short), '\\/']),
      builder.sequence(escape, builder.choice(unit, pair)),
    );
  }
}
