/** Calls that a model writes as one JSON object: `{"name": "f", "arguments": {...}}`. */
import type { AnswerInput, Reading } from './answer-input.js';
import type { AnswerParts } from './answer-parts.js';
import { readString, readValue, stringOf, type ValueEnd } from './json-reading.js';

const ARGUMENT_KEYS: ReadonlySet<string> = new Set(['arguments', 'parameters']);

export interface CallObjectOptions {
  /** Mark that ends a broken object. */
  readonly stop?: string;
  /** Whether a tool has this name; asked where nothing else tells a call from other JSON. Absent: every name is taken. */
  readonly isTool?: (name: string) => boolean;
}

/** Reads the members of one object. A call begins as soon as its name is known. */
class CallObject {
  readonly #input: AnswerInput;
  readonly #parts: AnswerParts;
  readonly #options: CallObjectOptions;
  #name: string | undefined;
  #isOpen = false;
  /** Arguments that came before the name. */
  #early: string | undefined;
  #hasArguments = false;

  constructor(input: AnswerInput, parts: AnswerParts, options: CallObjectOptions) {
    this.#input = input;
    this.#parts = parts;
    this.#options = options;
  }

  /** @returns whether it was a call; if not, nothing has become a part */
  *read(): Reading<boolean> {
    const isWhole = yield* this.#members();
    if (!this.#isOpen && isWhole && this.#hasName) this.#open();
    if (!this.#isOpen) return false;
    if (isWhole) {
      if (!this.#hasArguments && this.#early === undefined) this.#parts.arguments('{}');
      this.#parts.callEnd();
    }
    return true;
  }

  get #hasName(): boolean {
    return this.#name !== undefined && (this.#options.isTool?.(this.#name) ?? true);
  }

  /** @returns whether the object ended as it should */
  *#members(): Reading<boolean> {
    const input = this.#input;
    if (!(yield* input.takes('{'))) return false;
    for (;;) {
      yield* input.space();
      if (yield* input.takes('}')) return true;
      if (yield* input.takes(',')) continue;
      const key = yield* readString(input);
      if (key === undefined) return false;
      yield* input.space();
      if (!(yield* input.takes(':'))) return false;
      yield* input.space();
      if ((yield* this.#member(key)) !== 'complete') return false;
    }
  }

  *#member(key: string): Reading<ValueEnd> {
    if (key === 'name' && this.#name === undefined) return yield* this.#readName();
    if (ARGUMENT_KEYS.has(key) && !this.#hasArguments) return yield* this.#readArguments();
    return yield* readValue(this.#input, () => undefined, this.#options.stop);
  }

  *#readName(): Reading<ValueEnd> {
    this.#name = yield* readString(this.#input);
    if (this.#name === undefined) return 'stopped';
    if (this.#early !== undefined && this.#hasName) this.#open();
    return this.#hasName ? 'complete' : 'stopped';
  }

  *#readArguments(): Reading<ValueEnd> {
    const first = yield* this.#input.peek();
    if (first === '{' && this.#hasName) {
      this.#open();
      this.#hasArguments = true;
      return yield* readValue(this.#input, this.#parts.arguments, this.#options.stop);
    }
    let held = '';
    const end = yield* readValue(this.#input, (text) => (held += text), this.#options.stop);
    if (end !== 'complete') return end;
    this.#early = argumentsOf(held);
    if (this.#hasName) this.#open();
    return end;
  }

  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#parts.call(this.#name!);
    this.#input.recorded();
    if (this.#early !== undefined) this.#parts.arguments(this.#early);
  }
}

/** Arguments that are no object as they stand: JSON within a string, or nothing. */
function argumentsOf(json: string): string {
  if (json === 'null' || json === '""') return '{}';
  return stringOf(json) ?? json;
}

/**
 * Reads one call. Without a name it is none: all that was recorded becomes text then.
 * @returns whether it was a call
 */
export function* readCallObject(
  input: AnswerInput,
  parts: AnswerParts,
  options: CallObjectOptions,
): Reading<boolean> {
  const isCall = yield* new CallObject(input, parts, options).read();
  const recorded = input.recorded();
  if (!isCall) parts.text(recorded);
  return isCall;
}
