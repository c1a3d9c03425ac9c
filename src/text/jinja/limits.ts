/** Bounds of one rendering: no template and no request can hold the thread or fill the memory. */
import { AloftError } from '../../core/errors.js';

export interface TemplateLimits {
  /**
   * Work of one rendering: parts of expressions that are evaluated, items, and 32 characters of text are a step each. A step
   * takes about 100 ns, seldom 500.
   */
  readonly maxSteps: number;
  /** Macro calls, recursive loops and nested lists within each other. */
  readonly maxDepth: number;
  /** UTF-16 units of the output, and of each text on the way to it. */
  readonly maxTextLength: number;
  readonly maxIntegerBits: number;
}

export const TEMPLATE_LIMITS: TemplateLimits = {
  maxSteps: 5_000_000,
  maxDepth: 200,
  maxTextLength: 16 * 1024 * 1024,
  maxIntegerBits: 65_536,
};

/** Counts what a rendering uses. All methods throw an {@link AloftError} of code REQUEST_INVALID beyond a limit. */
export class Budget {
  readonly limits: TemplateLimits;
  #steps = 0;
  #depth = 0;

  constructor(limits: TemplateLimits) {
    this.limits = limits;
  }

  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > this.limits.maxSteps) throw exceeded('steps', this.limits.maxSteps);
  }

  /** Counts the reading of a text. */
  read(length: number): void {
    if (length >= 32) this.spend(length >>> 5);
  }

  /** Counts the reading of a text character by character, which takes longer. */
  walk(length: number): void {
    if (length >= 8) this.spend(length >>> 1);
  }

  /** Counts the making of a text, before it is made. */
  make(length: number): void {
    this.join(length);
    this.read(length);
  }

  /** Checks a text that is made by joining two, which JavaScript does without copying them. */
  join(length: number): void {
    if (length > this.limits.maxTextLength)
      throw exceeded('characters in one text', this.limits.maxTextLength);
  }

  /** Counts the making of a list, before it is made. */
  makeItems(count: number): void {
    this.spend(count);
  }

  makeInteger(bits: number): void {
    if (bits > this.limits.maxIntegerBits) throw exceeded('bits in one integer', this.limits.maxIntegerBits);
    this.spend(bits >>> 6);
  }

  /** Goes one level deeper; `leave` comes back. */
  enter(): void {
    if (++this.#depth > this.limits.maxDepth) throw exceeded('levels of nesting', this.limits.maxDepth);
  }

  leave(): void {
    this.#depth--;
  }
}

/** The error of a rendering that needs more than `limit` of something. */
export function exceeded(what: string, limit: number): AloftError {
  return new AloftError(
    'REQUEST_INVALID',
    `The chat template needs more than ${limit.toLocaleString('en-US')} ${what} for these messages, which is the limit of one rendering; send shorter messages or simplify the template.`,
  );
}
