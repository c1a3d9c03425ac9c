/** Text to token ids (with a library, see `library.ts`) and back (with our own table, see `detokenizer.ts`). */
import { Detokenizer, type DetokenizerOptions } from '../detokenizer.js';
import type { SpecialTokens } from './special-tokens.js';
import { type TokenTable, tokenBytes } from './token-table.js';

/** The way from text to ids. Public types name this, and not the library, whose own types ask for more than ES libraries. */
export interface TextEncoding {
  encode(text: string, addSpecialTokens: boolean): Promise<number[]>;
  tokenId(token: string): number | undefined;
}

/** The parts that {@link loadTokenizer} puts together. */
export interface TokenizerParts {
  readonly library: TextEncoding;
  readonly table: TokenTable;
  readonly specialTokens: SpecialTokens;
}

export class Tokenizer {
  readonly table: TokenTable;
  readonly specialTokens: SpecialTokens;
  readonly #library: TextEncoding;
  /** Texts of tokens that were asked for: log probabilities ask for the same few again and again. */
  readonly #texts: string[] = [];

  constructor(parts: TokenizerParts) {
    this.#library = parts.library;
    this.table = parts.table;
    this.specialTokens = parts.specialTokens;
  }

  get bosId(): number | undefined {
    return this.#idOf(this.specialTokens.bos_token);
  }

  get eosId(): number | undefined {
    return this.#idOf(this.specialTokens.eos_token);
  }

  get padId(): number | undefined {
    return this.#idOf(this.specialTokens.pad_token);
  }

  /** Runs outside the event loop. `addSpecialTokens` puts what the model expects around a prompt, such as `<s>`. */
  async encode(text: string, options: { readonly addSpecialTokens: boolean }): Promise<number[]> {
    return await this.#library.encode(text, options.addSpecialTokens);
  }

  /**
   * Tokens of a text as it appears in the middle of another, without the space that SentencePiece puts before a text.
   * Without such a form in the vocabulary, these are the tokens of the text alone.
   */
  async encodeFragment(text: string): Promise<number[]> {
    const alone = await this.encode(text, { addSpecialTokens: false });
    if (this.#standsFor(alone, text)) return alone;
    // Behind a line break there is no added space, and a line break merges with almost nothing.
    const lineBreak = await this.encode('\n', { addSpecialTokens: false });
    const behind = await this.encode(`\n${text}`, { addSpecialTokens: false });
    const fragment = behind.slice(lineBreak.length);
    return this.#standsFor(fragment, text) ? fragment : alone;
  }

  /** The whole text of a token sequence; equals the streamed pieces of a {@link Detokenizer} put together. */
  decode(tokenIds: Iterable<number>, options: DetokenizerOptions): string {
    const detokenizer = new Detokenizer(this.table, options);
    let text = '';
    for (const id of tokenIds) text += detokenizer.push(id);
    return text + detokenizer.end();
  }

  /** One token alone, leading space included; U+FFFD for a part of a character. */
  tokenText(tokenId: number): string {
    this.#texts[tokenId] ??= Buffer.from(tokenBytes(this.table, tokenId)).toString('utf8');
    return this.#texts[tokenId];
  }

  /** UTF-8 of one token; a view. */
  tokenBytes(tokenId: number): Uint8Array {
    return tokenBytes(this.table, tokenId);
  }

  #idOf(token: string | undefined): number | undefined {
    return token === undefined ? undefined : this.#library.tokenId(token);
  }

  #standsFor(tokenIds: readonly number[], text: string): boolean {
    return Buffer.concat(tokenIds.map((id) => tokenBytes(this.table, id))).equals(Buffer.from(text));
  }
}
