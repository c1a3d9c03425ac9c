/** Counts of a message on the wire, in one pass over its bytes and before anything is built from it. */
import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { beyondLimit, REQUEST_LIMITS } from '../../core/request-limits.js';

/** Part of a message that is worth descending into: messages by their field numbers, and bytes of an element of packed lists. */
interface WireShape {
  readonly messages: ReadonlyMap<number, WireShape>;
  /** 0 for elements of their own lengths. */
  readonly packed: ReadonlyMap<number, number>;
}

const VARINT = 0;
const BIT64 = 1;
const LENGTH_DELIMITED = 2;
const BIT32 = 5;

const ELEMENT_BYTES: ReadonlyMap<ScalarType, number> = new Map([
  [ScalarType.DOUBLE, 8],
  [ScalarType.FIXED64, 8],
  [ScalarType.SFIXED64, 8],
  [ScalarType.FLOAT, 4],
  [ScalarType.FIXED32, 4],
  [ScalarType.SFIXED32, 4],
]);

const shapes = new WeakMap<DescMessage, WireShape>();

/** @throws {AloftError} REQUEST_INVALID when the message has more fields and elements than the limit allows */
export function checkWireCost(schema: DescMessage, bytes: Uint8Array): void {
  new WireCounter(bytes).count(shapeOf(schema), 0, bytes.length);
}

function shapeOf(schema: DescMessage): WireShape {
  const known = shapes.get(schema);
  if (known !== undefined) return known;
  const messages = new Map<number, WireShape>();
  const packed = new Map<number, number>();
  const shape = { messages, packed };
  // Known before its fields are looked at, for messages that hold themselves.
  shapes.set(schema, shape);
  for (const field of schema.fields) {
    const inner = messageShape(field);
    if (inner !== undefined) messages.set(field.number, inner);
    if (field.fieldKind === 'list' && field.scalar !== undefined && !isText(field.scalar))
      packed.set(field.number, ELEMENT_BYTES.get(field.scalar) ?? 0);
  }
  return shape;
}

function messageShape(field: DescField): WireShape | undefined {
  if (field.message === undefined) return undefined;
  const value = shapeOf(field.message);
  // An entry of a map is a message of its key, 1, and its value, 2.
  return field.fieldKind === 'map' ? { messages: new Map([[2, value]]), packed: new Map() } : value;
}

const isText = (type: ScalarType): boolean => type === ScalarType.STRING || type === ScalarType.BYTES;

class WireCounter {
  readonly #bytes: Uint8Array;
  #offset = 0;
  #count = 0;
  #partCount = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Malformed parts end the count: the decoder, which reads the same bytes, refuses them. */
  count(shape: WireShape, start: number, end: number): void {
    this.#offset = start;
    while (this.#offset < end) {
      const tag = this.#varint();
      this.#add(1);
      const field = Math.floor(tag / 8);
      switch (tag % 8) {
        case VARINT:
          this.#varint();
          break;
        case BIT64:
          this.#offset += 8;
          break;
        case BIT32:
          this.#offset += 4;
          break;
        case LENGTH_DELIMITED:
          this.#countInside(shape, field, end);
          break;
        default:
          this.#offset = this.#bytes.length;
      }
    }
  }

  #countInside(shape: WireShape, field: number, end: number): void {
    const length = this.#varint();
    const inside = this.#offset;
    const after = Math.min(end, inside + length);
    const message = shape.messages.get(field);
    if (message !== undefined) {
      if (++this.#partCount > REQUEST_LIMITS.messageParts.max)
        throw beyondLimit('messageParts', 'The message');
      this.count(message, inside, after);
    }
    const elementBytes = shape.packed.get(field);
    if (elementBytes !== undefined)
      this.#add(elementBytes > 0 ? length / elementBytes : this.#varintCount(inside, after));
    this.#offset = after;
  }

  #varintCount(start: number, end: number): number {
    let count = 0;
    for (let i = start; i < end; i++) if (this.#bytes[i]! < 0x80) count++;
    return count;
  }

  #add(count: number): void {
    this.#count += count;
    if (this.#count > REQUEST_LIMITS.messageFields.max) throw beyondLimit('messageFields', 'The message');
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; this.#offset < this.#bytes.length; factor *= 128) {
      const byte = this.#bytes[this.#offset++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
    }
    return value;
  }
}
