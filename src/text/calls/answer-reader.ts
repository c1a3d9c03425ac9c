/** Reads one answer as it comes: thoughts, text and calls. */
import type { AnswerPart } from '../../core/conversation.js';
import type { ThoughtTags } from '../../core/generate.js';
import { AnswerInput, type Reading } from './answer-input.js';
import { AnswerParts, type PartsOptions } from './answer-parts.js';
import type { CallFormat } from './call-format.js';

export interface AnswerReaderOptions extends PartsOptions {
  /** Form of calls; undefined where none can come. */
  readonly format: CallFormat | undefined;
  /** Tags of thoughts; undefined where all is text. */
  readonly thought: ThoughtTags | undefined;
  /** True if the prompt ends within a thought. */
  readonly isThinking: boolean;
}

/** The parts do not depend on how the text is cut into pieces, but for where parts of equal kind are divided. */
export class AnswerReader {
  readonly #input = new AnswerInput();
  readonly #parts: AnswerParts;
  readonly #reading: Reading;

  constructor(options: AnswerReaderOptions) {
    this.#parts = new AnswerParts(options);
    this.#reading = readAnswer(this.#input, this.#parts, options);
    this.#reading.next();
  }

  get callCount(): number {
    return this.#parts.callCount;
  }

  /** Whether the answer begins with a thought. */
  get hasThought(): boolean {
    return this.#parts.hasThought;
  }

  push(text: string): AnswerPart[] {
    if (text === '') return [];
    this.#input.push(text);
    this.#reading.next();
    return this.#parts.take();
  }

  /** Parts that were held back, now that no more text comes. */
  end(): AnswerPart[] {
    this.#input.end();
    this.#reading.next();
    this.#parts.end();
    return this.#parts.take();
  }
}

function* readAnswer(input: AnswerInput, parts: AnswerParts, options: AnswerReaderOptions): Reading {
  const { format, thought, isThinking, tools } = options;
  if (thought !== undefined) yield* readThought(input, parts, { thought, isThinking });
  if (format === undefined) yield* input.until([], parts.text);
  else yield* format.read(input, parts, tools);
}

interface ThoughtOptions {
  readonly thought: ThoughtTags;
  readonly isThinking: boolean;
}

function* readThought(input: AnswerInput, parts: AnswerParts, options: ThoughtOptions): Reading {
  const { begin, end } = options.thought;
  const lead = yield* input.space();
  // Some models write the tag although the prompt has it.
  const isTagged = yield* input.takes(begin);
  if (!isTagged && !options.isThinking) return parts.text(lead);
  parts.turn();
  parts.hasThought = true;
  yield* input.until([end], parts.thought);
  parts.turn();
}
