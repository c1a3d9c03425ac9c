/** Tokens to text, piece by piece, so that the pieces put together are exactly the text of all tokens. */
import type { TokenTable } from './tokenizer/token-table.js';

export interface DetokenizerOptions {
  /** Leave out control tokens such as `</s>`. */
  readonly skipSpecialTokens: boolean;
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
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #isFirstToken = true;
  /** Spaces that are still to be dropped while nothing else has come. */
  #spacesToDrop: number;

  constructor(table: TokenTable, options: DetokenizerOptions) {
    this.#table = table;
    this.#skipSpecialTokens = options.skipSpecialTokens;
    this.#spacesToDrop = table.leadingSpace.type === 'strip' ? table.leadingSpace.count : 0;
  }

  /** The text that this token completes; may be empty. */
  push(tokenId: number): string {
    const table = this.#table;
    if (!(tokenId >= 0 && tokenId < table.tokenCount)) return '';
    if (this.#skipSpecialTokens && table.special[tokenId] === 1) return '';
    let bytes = table.bytes.subarray(table.offsets[tokenId], table.offsets[tokenId + 1]);
    if (this.#isFirstToken) {
      this.#isFirstToken = false;
      if (table.leadingSpace.type === 'first-token') bytes = table.leadingSpace.bytes(tokenId);
    }
    if (this.#spacesToDrop > 0) bytes = this.#withoutLeadingSpaces(bytes);
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
