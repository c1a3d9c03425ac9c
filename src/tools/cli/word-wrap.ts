/** Breaks lines between words, so that a terminal does not break them inside. */

/** Letters of scripts without spaces, and pictures: two columns wide, and a line may break at each. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff00-\uff60]/u;

/** Columns that a text without line breaks takes. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const letter of text) columns += WIDE.test(letter) ? 2 : /\p{M}/u.test(letter) ? 0 : 1;
  return columns;
}

/** Parts between which a line may break: wide letters, words, and the spaces between them. */
const PARTS = new RegExp(String.raw`\n|[^\S\n]+|${WIDE.source}|(?:(?!${WIDE.source})\S)+`, 'gu');

/** Text that comes in pieces. A word is written when it is whole. */
export class WordWrapper {
  readonly #columns: () => number;
  readonly #out: (text: string) => void;
  #column = 0;
  /** Spaces before the next word: none are written where the line breaks. */
  #spaces = '';
  /** The word that may go on. */
  #word = '';

  /** @param columns width of the screen, which may change */
  constructor(columns: () => number, out: (text: string) => void) {
    this.#columns = columns;
    this.#out = out;
  }

  write(text: string): void {
    const parts = (this.#word + text).match(PARTS) ?? [];
    this.#word = '';
    for (const [i, part] of parts.entries()) {
      const isLast = i === parts.length - 1;
      if (part === '\n') this.#breakLine();
      else if (part.trim() === '') this.#spaces += part;
      else if (isLast && !WIDE.test(part)) this.#word = part;
      else this.#put(part);
    }
  }

  /** Writes the last word, and begins anew. */
  end(): void {
    if (this.#word !== '') this.#put(this.#word);
    this.#word = '';
    this.#spaces = '';
    this.#column = 0;
  }

  #breakLine(): void {
    this.#out('\n');
    this.#column = 0;
    this.#spaces = '';
  }

  #put(word: string): void {
    const width = columnsOf(word);
    const isTooLong = this.#column + this.#spaces.length + width > this.#columns();
    if (isTooLong && this.#column > 0) this.#breakLine();
    this.#out(this.#spaces + word);
    this.#column += this.#spaces.length + width;
    this.#spaces = '';
  }
}

/** A line in lines of at most so many columns; those after the first are indented. Narrow screens get it as it is. */
export function wrappedLine(line: string, columns: number, indent: string): string {
  if (columns < MIN_COLUMNS || columnsOf(line) <= columns) return line;
  let lines = '';
  let isFirst = true;
  const width = (): number => (isFirst ? columns : columns - indent.length);
  const wrapper = new WordWrapper(width, (text) => {
    isFirst &&= text !== '\n';
    lines += text;
  });
  wrapper.write(line);
  wrapper.end();
  return lines.replaceAll('\n', `\n${indent}`);
}

const MIN_COLUMNS = 40;
