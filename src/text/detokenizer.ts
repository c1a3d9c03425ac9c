/** Tokens to text, piece by piece, so that the pieces put together are exactly the text of all tokens. */
import { tokenBytes, type TokenTable } from './tokenizer/token-table.js';

export interface DetokenizerOptions {
  /** Leave out control tokens such as `</s>`. */
  readonly skipSpecialTokens: boolean;
  /** Control tokens that are shown all the same, by their texts. */
  readonly shownTokens?: readonly string[];
}

const SPACE = 0x20;

/**
 * Decodes one sequence incrementally. A character whose bytes are spread over several tokens appears with the last of
 * them; bytes that can no longer become a character appear as U+FFFD (WHATWG Encoding, section 4.1.1, "maximal subpart").
 * The SentencePiece rule for leading spaces applies once, at the start of the text.
 *
 * For valid UTF-8 the text equals that of the Hugging Face library. For invalid runs of byte tokens the library writes one
 * U+FFFD per byte of the whole run, valid characters included, which cannot be known while streaming.
 */
export class Detokenizer {
  readonly #table: TokenTable;
  readonly #skipSpecialTokens: boolean;
  /** Texts of the control tokens that are shown although others are not. */
  readonly #shownTexts: ReadonlyMap<number, string>;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #isFirstToken = true;
  /** The decoder holds no part of a character. False may also mean that nobody knows. */
  #isBetweenCharacters = true;
  /** Spaces that are still to be dropped while nothing else has come. */
  #spacesToDrop: number;

  constructor(table: TokenTable, options: DetokenizerOptions) {
    this.#table = table;
    this.#skipSpecialTokens = options.skipSpecialTokens;
    this.#shownTexts = shownTexts(table, options);
    this.#spacesToDrop = table.leadingSpace.type === 'strip' ? table.leadingSpace.count : 0;
  }

  /** The text that this token completes; may be empty. */
  push(tokenId: number): string {
    const table = this.#table;
    if (!(tokenId >= 0 && tokenId < table.tokenCount)) return '';
    if (this.#skipSpecialTokens && table.special[tokenId] === 1) return this.#pushShown(tokenId);
    if (this.#isFirstToken || this.#spacesToDrop > 0) return this.#pushFirst(tokenId);
    const whole = table.wholeText(tokenId);
    if (whole === '' || (whole !== undefined && this.#isBetweenCharacters)) return whole;
    this.#isBetweenCharacters = whole !== undefined;
    return this.#decode(tokenBytes(table, tokenId));
  }

  /** A control token: nothing, unless it is shown. */
  #pushShown(tokenId: number): string {
    const text = this.#shownTexts.get(tokenId);
    if (text === undefined) return '';
    this.#isFirstToken = false;
    this.#spacesToDrop = 0;
    this.#isBetweenCharacters = true;
    return this.#decoder.decode() + text;
  }

  /** A token at the start of the text, which has rules of its own. */
  #pushFirst(tokenId: number): string {
    const { leadingSpace } = this.#table;
    const isOther = this.#isFirstToken && leadingSpace.type === 'first-token';
    const bytes = isOther ? leadingSpace.bytes(tokenId) : tokenBytes(this.#table, tokenId);
    this.#isFirstToken = false;
    this.#isBetweenCharacters = false;
    return this.#decode(this.#spacesToDrop > 0 ? this.#withoutLeadingSpaces(bytes) : bytes);
  }

  #decode(bytes: Uint8Array): string {
    return bytes.length === 0 ? '' : this.#decoder.decode(bytes, { stream: true });
  }

  /** Forgets the bytes of an incomplete character. */
  cut(): void {
    this.#decoder.decode();
  }

  /** The rest: U+FFFD for an incomplete character at the end, otherwise nothing. Ends the sequence. */
  end(): string {
    return this.#decoder.decode();
  }

  #withoutLeadingSpaces(bytes: Uint8Array): Uint8Array {
    let dropped = 0;
    while (dropped < bytes.length && dropped < this.#spacesToDrop && bytes[dropped] === SPACE) dropped++;
    this.#spacesToDrop = dropped < bytes.length ? 0 : this.#spacesToDrop - dropped;
    return bytes.subarray(dropped);
  }
}

function shownTexts(
  { specialTexts }: TokenTable,
  { skipSpecialTokens, shownTokens = [] }: DetokenizerOptions,
): ReadonlyMap<number, string> {
  if (!skipSpecialTokens || shownTokens.length === 0) return new Map();
  const shown = new Set(shownTokens);
  return new Map([...specialTexts].filter(([, text]) => shown.has(text)));
}
