/** Compilers of constraints, by the control tokens that are a part of the text. */
import type { GenerateRequest } from '../core/generate.js';
import { ConstraintCompiler } from './grammar/thread/constraint-compiler.js';
import type { TokenTable } from './tokenizer/token-table.js';

/** Vocabularies that are kept: without control tokens, and those of a few sets of them. */
const KEPT_VOCABULARIES = 4;

export class ShownConstraints {
  readonly #table: TokenTable;
  readonly #vocabulary: number;
  readonly #kept = new Map<string, ConstraintCompiler>();

  /** @param vocabulary tokens of the model */
  constructor(table: TokenTable, vocabulary: number) {
    this.#table = table;
    this.#vocabulary = vocabulary;
  }

  /** The compiler for a request's constraints, in which the control tokens that it shows are texts as others. */
  of({ shownTokens = [] }: GenerateRequest): ConstraintCompiler {
    const { specialTexts } = this.#table;
    const shown = [...specialTexts].filter(([, text]) => shownTokens.includes(text)).map(([id]) => id);
    const key = shown.join(' ');
    const compiler = this.#kept.get(key) ?? new ConstraintCompiler(this.#withTexts(shown), this.#vocabulary);
    this.#kept.delete(key);
    this.#kept.set(key, compiler);
    if (this.#kept.size > KEPT_VOCABULARIES) this.#kept.delete(this.#kept.keys().next().value!);
    return compiler;
  }

  #withTexts(shown: readonly number[]): TokenTable {
    if (shown.length === 0) return this.#table;
    const special = Uint8Array.from(this.#table.special);
    for (const id of shown) special[id] = 0;
    return { ...this.#table, special };
  }
}
