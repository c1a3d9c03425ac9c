/** The input of a custom tool out of the JSON that a model writes for it: `{"input": "..."}`. */
import { INPUT_ARGUMENT } from '../../core/conversation.js';

/** Arguments up to the input, without spaces. */
const HEAD = `{${JSON.stringify(INPUT_ARGUMENT)}:"`;
/** Characters of a string as they are, or one escape. */
const PIECE = /[^"\\]+|\\u[0-9a-fA-F]{4}|\\[^u]|\\u(?![0-9a-fA-F]{0,3}$)/y;
/** First half of a character, which waits for the other. */
const HALF_CHARACTER = /[\ud800-\udbff]$/;

/** Hands the input on while it is written. Arguments of another form are handed on as they are. */
export class InputText {
  /** Where the arguments are: before the input, in it, behind it, or of another form. */
  #state: 'head' | 'text' | 'end' | 'other' = 'head';
  /** Arguments that are not understood yet. */
  #held = '';
  /** Those of them that were looked at, without spaces, and their number with spaces. */
  #seen = '';
  #seenCount = 0;
  #half = '';

  /** @returns the input's next piece; may be empty */
  push(json: string): string {
    this.#held += json;
    if (this.#state === 'head') this.#readHead();
    if (this.#state === 'text') return this.#readText();
    if (this.#state === 'head') return '';
    const text = this.#state === 'other' ? this.#held : '';
    this.#held = '';
    return text;
  }

  /** The arguments are complete. @returns what was held back */
  end(): string {
    const rest = this.#state === 'head' ? this.#held : this.#half;
    this.#held = '';
    this.#half = '';
    return rest;
  }

  #readHead(): void {
    while (this.#state === 'head' && this.#seenCount < this.#held.length) {
      this.#seen += this.#held[this.#seenCount++]!.trim();
      if (!HEAD.startsWith(this.#seen)) this.#state = 'other';
      else if (this.#seen === HEAD) this.#state = 'text';
    }
    if (this.#state === 'text') this.#held = this.#held.slice(this.#seenCount);
  }

  #readText(): string {
    let text = this.#half;
    let at = 0;
    for (;;) {
      PIECE.lastIndex = at;
      const piece = PIECE.exec(this.#held)?.[0];
      if (piece === undefined) break;
      text += characterOf(piece);
      at += piece.length;
    }
    if (this.#held[at] === '"') this.#state = 'end';
    this.#held = this.#held.slice(at);
    this.#half = HALF_CHARACTER.exec(text)?.[0] ?? '';
    return text.slice(0, text.length - this.#half.length);
  }
}

/** The character of an escape; one that JSON does not know stays as it is. */
function characterOf(piece: string): string {
  if (!piece.startsWith('\\')) return piece;
  try {
    return JSON.parse(`"${piece}"`) as string;
  } catch {
    return piece;
  }
}
