/** Text of an answer on its way to a reader that is written as if all of it were there. */

/** Waits for text where it yields. */
export type Reading<Result = void> = Generator<undefined, Result, undefined>;

type Take = (text: string) => void;

const SPACE = /^[ \t\r\n]+/;

/** Text that has come and is not read yet. */
export class AnswerInput {
  #text = '';
  #at = 0;
  #hasEnded = false;
  /** Text that was read since {@link record}; undefined while nothing is recorded. */
  #recorded: string | undefined;

  push(text: string): void {
    this.#text = this.#text.slice(this.#at) + text;
    this.#at = 0;
  }

  end(): void {
    this.#hasEnded = true;
  }

  /** Begins to keep what is read, so that it can be handed on as text when it is no call. */
  record(first: string): void {
    this.#recorded = first;
  }

  /** Ends what {@link record} began. @returns what was read since then */
  recorded(): string {
    const text = this.#recorded ?? '';
    this.#recorded = undefined;
    return text;
  }

  /** The next character without reading it; undefined at the end of the answer. */
  *peek(): Reading<string | undefined> {
    while (this.#at >= this.#text.length) {
      if (this.#hasEnded) return undefined;
      yield;
    }
    return this.#text[this.#at];
  }

  /** Whether the answer ends before so many more characters and one. */
  *isAtEnd(count: number): Reading<boolean> {
    while (this.#text.length - this.#at <= count) {
      if (this.#hasEnded) return true;
      yield;
    }
    return false;
  }

  /** Text that has come; may be empty. */
  get available(): string {
    return this.#text.slice(this.#at);
  }

  read(count: number): string {
    const text = this.#text.slice(this.#at, this.#at + count);
    this.#at += count;
    if (this.#recorded !== undefined) this.#recorded += text;
    return text;
  }

  *space(): Reading<string> {
    let text = '';
    while ((yield* this.peek()) !== undefined) {
      const found = SPACE.exec(this.available);
      if (found === null) break;
      text += this.read(found[0].length);
    }
    return text;
  }

  /** Whether `text` comes next, which is then read. */
  *takes(text: string): Reading<boolean> {
    while (this.#text.length - this.#at < text.length && !this.#hasEnded) {
      if (!text.startsWith(this.available)) return false;
      yield;
    }
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.read(text.length);
    return true;
  }

  /** Reads up to the first of the marks and over it, handing on what stands before. @returns the mark; undefined where none comes */
  *until(marks: readonly string[], take: Take): Reading<string | undefined> {
    const mark = yield* this.upTo(marks, take);
    if (mark !== undefined) this.read(mark.length);
    return mark;
  }

  /** The same without reading the mark. */
  *upTo(marks: readonly string[], take: Take): Reading<string | undefined> {
    for (;;) {
      const found = firstOf(this.#text, this.#at, marks);
      const partial = partialAt(this.#text, this.#at, marks);
      if (found !== undefined && found.at <= partial) {
        if (found.at > this.#at) take(this.read(found.at - this.#at));
        return found.mark;
      }
      const isLast = this.#hasEnded;
      const certain = isLast ? this.#text.length : partial;
      if (certain > this.#at) take(this.read(certain - this.#at));
      if (isLast) return undefined;
      yield;
    }
  }
}

/** The mark that stands first; of several there, the longest. */
function firstOf(
  text: string,
  from: number,
  marks: readonly string[],
): { readonly at: number; readonly mark: string } | undefined {
  let first: { at: number; mark: string } | undefined;
  for (const mark of marks) {
    const at = text.indexOf(mark, from);
    if (at < 0) continue;
    if (first === undefined || at < first.at || (at === first.at && mark.length > first.mark.length))
      first = { at, mark };
  }
  return first;
}

/** Start of an end of the text that begins a mark; the length of the text when there is none. */
function partialAt(text: string, from: number, marks: readonly string[]): number {
  let first = text.length;
  for (const mark of marks) {
    for (let start = Math.max(from, text.length - mark.length + 1); start < first; start++)
      if (mark.startsWith(text.slice(start))) first = start;
  }
  return first;
}
