/**
 * Control tokens in what users write: `</s>` in a message must not end the message. While a chat template renders, a private
 * character stands for each of them; afterwards the prompt is encoded in parts, and the token's text as the text that it is.
 */
import { AloftError } from '../core/errors.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

/** Supplementary private use area A: no tokenizer and no template gives it a meaning. */
const FIRST_MARK = 0xf0000;
const LAST_MARK = 0xffffd;
const MARKS = /([\u{f0000}-\u{ffffd}])/u;

export class ControlTokens {
  readonly #tokenizer: Tokenizer;
  readonly #texts: readonly string[];
  /** Finds control tokens; undefined without any. */
  readonly #pattern: RegExp | undefined;
  readonly #plainIds = new Map<string, Promise<number[]>>();

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
    // The longest first: one may begin with another.
    this.#texts = [...tokenizer.table.specialTexts.values()]
      .filter((text) => text !== '')
      .toSorted((a, b) => b.length - a.length)
      .slice(0, LAST_MARK - FIRST_MARK);
    const literals = this.#texts.map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`));
    this.#pattern =
      literals.length === 0 ? undefined : new RegExp(`${literals.join('|')}|[\\u{f0000}-\\u{ffffd}]`, 'gu');
  }

  /** A value of a request with marks in the place of control tokens, in all of its texts. */
  hide<Value>(value: Value): Value {
    return this.#hidden(value) as Value;
  }

  /** Tokens of a rendered prompt; the marks in it become the tokens of plain text. */
  async encode(
    prompt: string,
    encode: (text: string) => Promise<readonly number[]>,
  ): Promise<readonly number[]> {
    const parts = prompt.split(MARKS);
    if (parts.length === 1) return await encode(prompt);
    const ids: number[] = [];
    for (const [i, part] of parts.entries()) {
      if (part === '') continue;
      const isMark = i % 2 === 1;
      const partIds = isMark
        ? await this.#idsOfMark(part)
        : await (i === 0 ? encode(part) : this.#fragment(part));
      for (const id of partIds) ids.push(id);
    }
    return ids;
  }

  #hidden(value: unknown): unknown {
    if (typeof value === 'string') return this.#hiddenText(value);
    if (Array.isArray(value)) return value.map((item) => this.#hidden(item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [this.#hiddenText(key), this.#hidden(item)]),
    );
  }

  #hiddenText(text: string): string {
    if (this.#pattern === undefined) return text;
    return text.replaceAll(this.#pattern, (found) => {
      const index = this.#texts.indexOf(found);
      // A mark that a user sends stands for nothing.
      return index < 0 ? '\ufffd' : String.fromCodePoint(FIRST_MARK + index);
    });
  }

  #fragment(text: string): Promise<number[]> {
    return this.#tokenizer.encodeFragment(text);
  }

  async #idsOfMark(mark: string): Promise<number[]> {
    const text = this.#texts[mark.codePointAt(0)! - FIRST_MARK] ?? '\ufffd';
    let ids = this.#plainIds.get(text);
    if (ids === undefined) this.#plainIds.set(text, (ids = this.#encodePlain(text)));
    return await ids;
  }

  /** Tokens of a control token's text, in parts that are no control tokens themselves. @throws {AloftError} REQUEST_INVALID */
  async #encodePlain(text: string): Promise<number[]> {
    const [first = '', ...rest] = Array.from(text);
    const { special } = this.#tokenizer.table;
    for (const parts of [
      [first, rest.join('')],
      [first, ...rest],
    ]) {
      const lists = await Promise.all(
        parts.filter((part) => part !== '').map((part) => this.#fragment(part)),
      );
      const ids = lists.flat();
      if (ids.every((id) => special[id] !== 1)) return ids;
    }
    throw new AloftError(
      'REQUEST_INVALID',
      `The messages contain '${text}', which this model cannot have as text; leave it out.`,
    );
  }
}
