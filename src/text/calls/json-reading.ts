/** JSON that a model writes, handed on as it comes. */
import type { AnswerInput, Reading } from './answer-input.js';

/** End of a value: complete, broken off by a mark that no JSON has there, or by the end of the answer. */
export type ValueEnd = 'complete' | 'stopped' | 'cut';

type Take = (text: string) => void;

/**
 * Reads one value. Only strings and brackets are looked at, so what a model writes wrongly within it is handed on.
 * @param stop a mark that ends a broken value, outside of strings; it is not read
 */
export function* readValue(input: AnswerInput, take: Take, stop?: string): Reading<ValueEnd> {
  const first = yield* input.peek();
  if (first === undefined) return 'cut';
  if (first !== '{' && first !== '[' && first !== '"') return yield* readScalar(input, take);
  const scan = new BracketScan(first, stop?.[0]);
  while ((yield* input.peek()) !== undefined) {
    const count = scan.run(input.available);
    if (count > 0) take(input.read(count));
    if (scan.isComplete) return 'complete';
    if (!scan.isAtStop || stop === undefined) continue;
    if (yield* isNext(input, stop)) return 'stopped';
    take(input.read(1));
  }
  return 'cut';
}

/** Whether `text` comes next, without reading it. */
function* isNext(input: AnswerInput, text: string): Reading<boolean> {
  let seen = input.available;
  while (seen.length < text.length && text.startsWith(seen)) {
    yield;
    if (input.available.length === seen.length) return false;
    seen = input.available;
  }
  return seen.startsWith(text);
}

/** A number, true, false or null: up to what cannot be part of one. */
function* readScalar(input: AnswerInput, take: Take): Reading<ValueEnd> {
  let length = 0;
  while ((yield* input.peek()) !== undefined) {
    const text = /^[-+.\w]*/.exec(input.available)![0];
    if (text === '') return length > 0 ? 'complete' : 'stopped';
    length += text.length;
    take(input.read(text.length));
  }
  return length > 0 ? 'complete' : 'cut';
}

const CLOSING: Readonly<Record<string, string>> = { '{': '}', '[': ']' };

/** Finds the end of a string, list or object. Only brackets of its own kind count, since a model may mix up the others. */
class BracketScan {
  isComplete = false;
  /** True at a character that may begin the mark. */
  isAtStop = false;
  readonly #opening: string;
  readonly #closing: string | undefined;
  readonly #stopCharacter: string | undefined;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  constructor(opening: string, stopCharacter: string | undefined) {
    this.#opening = opening;
    this.#closing = CLOSING[opening];
    this.#stopCharacter = stopCharacter;
  }

  /** @returns number of characters that belong to the value */
  run(text: string): number {
    this.isAtStop = false;
    for (let i = 0; i < text.length; i++) {
      const character = text[i]!;
      if (this.#isInString) this.#inString(character);
      else if (character === this.#stopCharacter) {
        this.isAtStop = true;
        return i;
      } else if (character === '"') this.#isInString = true;
      else if (character === this.#opening) this.#depth++;
      else if (character === this.#closing) this.#depth--;
      if (this.#depth > 0 || this.#isInString) continue;
      this.isComplete = true;
      return i + 1;
    }
    return text.length;
  }

  #inString(character: string): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (character === '\\') this.#isEscaped = true;
    else if (character === '"') this.#isInString = false;
  }
}

/** A whole JSON string. @returns undefined where none comes, or a broken one */
export function* readString(input: AnswerInput): Reading<string | undefined> {
  if ((yield* input.peek()) !== '"') return undefined;
  let text = '';
  const end = yield* readValue(input, (piece) => (text += piece));
  return end === 'complete' ? stringOf(text) : undefined;
}

/** The text of a JSON string; undefined when it is none. */
export function stringOf(json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
