/** Reads JSON as Python does: 1.0 stays a float, large integers stay exact, keys stay in their order. */
import { Dict } from './dict.js';
import { float, integer } from './numbers.js';
import type { Value } from './value.js';

/** Lists and objects within each other; deeper ones are no values for templates. */
const MAX_DEPTH = 100;

/** The value of a JSON text, or undefined when it is none. */
export function parseJsonValue(text: string): Value | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  return new JsonReader(text).read(0);
}

/** Reads a text that is known to be valid. */
class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Undefined when it is nested too deep. */
  read(depth: number): Value | undefined {
    this.#skipSpace();
    switch (this.#text[this.#at]) {
      case '"':
        return this.#string();
      case '[':
        return depth < MAX_DEPTH ? this.#list(depth + 1) : undefined;
      case '{':
        return depth < MAX_DEPTH ? this.#object(depth + 1) : undefined;
      case 't':
        return this.#word(true, 4);
      case 'f':
        return this.#word(false, 5);
      case 'n':
        return this.#word(null, 4);
      default:
        return this.#number();
    }
  }

  #skipSpace(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
  }

  #word(value: Value, length: number): Value {
    this.#at += length;
    return value;
  }

  #string(): string {
    const start = this.#at++;
    while (this.#text[this.#at] !== '"') this.#at += this.#text[this.#at] === '\\' ? 2 : 1;
    return JSON.parse(this.#text.slice(start, ++this.#at)) as string;
  }

  #number(): Value {
    const start = this.#at;
    while ('+-.0123456789eE'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
    const digits = this.#text.slice(start, this.#at);
    return /[.eE]/.test(digits) ? float(Number(digits)) : integer(BigInt(digits));
  }

  /** Whether the list or object ends here; goes behind its end, or behind the comma before the next part. */
  #isAtEnd(end: string): boolean {
    this.#skipSpace();
    const character = this.#text[this.#at];
    if (character === end || character === ',') this.#at++;
    return character === end;
  }

  #list(depth: number): Value | undefined {
    const items: Value[] = [];
    this.#at++;
    while (!this.#isAtEnd(']')) {
      const item = this.read(depth);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  }

  #object(depth: number): Value | undefined {
    const pairs: [string, Value][] = [];
    this.#at++;
    while (!this.#isAtEnd('}')) {
      this.#skipSpace();
      const key = this.#string();
      this.#skipSpace();
      this.#at++;
      const value = this.read(depth);
      if (value === undefined) return undefined;
      pairs.push([key, value]);
    }
    // JavaScript's objects put keys that look like indices first.
    const isOrdered = !pairs.some(([key]) => /^\d+$/.test(key));
    return isOrdered ? Object.fromEntries<Value>(pairs) : Dict.ofNames(pairs);
  }
}
