/** The text of one sequence while it is generated. */
import { Detokenizer } from './detokenizer.js';
import { StopStrings } from './stop-strings.js';
import type { TokenTable } from './tokenizer/token-table.js';

export interface SequenceTextOptions {
  readonly table: TokenTable;
  readonly skipSpecialTokens: boolean;
  /** Control tokens that are shown all the same. */
  readonly shownTokens: readonly string[];
  readonly stops: readonly string[];
  readonly includeStop: boolean;
  /** No stop string ends the text within so many tokens. */
  readonly minTokens: number;
}

/** Detokenizer and stop strings of one sequence, with everything that was made so far. */
export class SequenceText {
  readonly tokenIds: number[] = [];
  /** All text that was returned. */
  text = '';
  /** Set once a stop string was found; the sequence ends there. */
  stop: string | undefined;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;
  readonly #minTokens: number;
  /** Texts of control tokens that are not shown, and that a stop string names all the same. */
  readonly #hiddenTexts: ReadonlyMap<number, string>;

  constructor(options: SequenceTextOptions) {
    this.#detokenizer = new Detokenizer(options.table, options);
    this.#stops = new StopStrings(options.stops, options.includeStop);
    this.#minTokens = options.minTokens;
    this.#hiddenTexts = hiddenTexts(options);
  }

  /** Puts the prompt's text first. The output then continues it, leading space included; stop strings are not looked for in it. */
  echo(promptTokenIds: Iterable<number>): string {
    for (const id of promptTokenIds) this.text += this.#detokenizer.push(id);
    return this.text;
  }

  /** The output continues this prompt, which is not a part of it: the first token keeps its leading space. */
  follow(promptTokenIds: Iterable<number>): void {
    for (const id of promptTokenIds) this.#detokenizer.push(id);
    this.#detokenizer.cut();
  }

  /** Text that may be shown after this token. */
  push(tokenId: number): string {
    this.tokenIds.push(tokenId);
    const hidden = this.#hiddenTexts.get(tokenId);
    return hidden === undefined ? this.#match(this.#detokenizer.push(tokenId)) : this.#match(hidden, true);
  }

  /** Returns the text that was held back, now that no more tokens come. */
  end(): string {
    const text = this.#match(this.#detokenizer.end());
    if (this.stop !== undefined) return text;
    const held = this.#stops.end();
    this.text += held;
    return text + held;
  }

  #match(piece: string, isHidden = false): string {
    const mayStop = this.tokenIds.length > this.#minTokens;
    const match = this.#stops.push(piece, { isHidden, mayStop });
    this.stop = match.stop;
    this.text += match.text;
    return match.text;
  }
}

function hiddenTexts(options: SequenceTextOptions): ReadonlyMap<number, string> {
  const { table, skipSpecialTokens, shownTokens, stops } = options;
  if (!skipSpecialTokens || stops.length === 0) return new Map();
  const named = [...table.specialTexts].filter(
    ([, text]) => !shownTokens.includes(text) && stops.some((stop) => stop.includes(text)),
  );
  return new Map(named);
}
