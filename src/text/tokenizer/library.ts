/** The only user of the `tokenizers` library. */
import { AddedToken as LibraryToken, templateProcessing, Tokenizer as Library } from 'tokenizers';
import { type AddedToken, invalid } from './hf-json.js';
import type { PromptEnds } from './prompt-ends.js';
import type { TextEncoding } from './tokenizer.js';

/** A tokenizer of the library. */
export class TokenizerLibrary implements TextEncoding {
  readonly #library: Library;
  /** The file it came from, for messages. */
  readonly #path: string;

  private constructor(library: Library, path: string) {
    this.#library = library;
    this.#path = path;
  }

  /** @param text a whole `tokenizer.json` @throws {AloftError} TOKENIZER_INVALID */
  static open(text: string, path: string): TokenizerLibrary {
    try {
      const library = Library.fromString(text);
      // Some published files carry the length limits of their training.
      library.disableTruncation();
      library.disablePadding();
      return new TokenizerLibrary(library, path);
    } catch (cause) {
      throw invalid(path, `is not a tokenizer that can be used (${(cause as Error).message})`, cause);
    }
  }

  /** Adds tokens, each with the id of its text in the vocabulary, else with the next free one. */
  add(tokens: readonly Omit<AddedToken, 'id'>[]): void {
    if (tokens.length === 0) return;
    const added = tokens.map(
      ({ content, special, single_word, lstrip, rstrip, normalized }) =>
        new LibraryToken(content, special, {
          singleWord: single_word ?? false,
          leftStrip: lstrip ?? false,
          rightStrip: rstrip ?? false,
          normalized: normalized ?? !special,
        }),
    );
    this.#library.addAddedTokens(added);
  }

  /** Puts these tokens around every prompt, and no others. @throws {AloftError} TOKENIZER_INVALID */
  setEnds({ before, after }: PromptEnds): void {
    const known = [...before, ...after].flatMap((token) => {
      const id = this.tokenId(token);
      return id === undefined ? [] : [[token, id] as [string, number]];
    });
    const place = (tokens: readonly string[], type: 0 | 1): string[] =>
      tokens.filter((token) => known.some(([text]) => text === token)).map((token) => `${token}:${type}`);
    const around = (sequence: 'A' | 'B', type: 0 | 1) =>
      [...place(before, type), `$${sequence}:${type}`, ...place(after, type)].join(' ');
    try {
      const pair = `${around('A', 0)} ${around('B', 1)}`;
      this.#library.setPostProcessor(templateProcessing(around('A', 0), pair, known));
    } catch (cause) {
      const names = known.map(([text]) => JSON.stringify(text)).join(' and ');
      throw invalid(this.#path, `cannot have ${names} around a prompt (${(cause as Error).message})`, cause);
    }
  }

  async encode(text: string, addSpecialTokens: boolean): Promise<number[]> {
    return (await this.#library.encode(text, null, { addSpecialTokens })).getIds();
  }

  tokenId(token: string): number | undefined {
    return this.#library.tokenToId(token) ?? undefined;
  }

  /** Token text -> id, added tokens included. */
  vocabulary(): Record<string, number> {
    return this.#library.getVocab(true);
  }
}
