/** `wordwrap`: lines of a given width, as Python's `textwrap` breaks them. */
import { valueError } from '../python-error.js';
import type { Rendering } from '../values/callable.js';
import { characters, isSpace } from '../values/text.js';
import { isAlphanumeric, isDecimal } from './character-classes.js';

export interface WrapOptions {
  readonly width: number;
  readonly breakLongWords: boolean;
  readonly breakOnHyphens: boolean;
}

const isBlank = (character: string): boolean => '\t\n\v\f\r '.includes(character);
const isWordCharacter = (character: string | undefined): boolean =>
  character !== undefined && (character === '_' || isAlphanumeric(character));
const isLetter = (character: string | undefined): boolean =>
  isWordCharacter(character) && !isDecimal(character!);
/** Characters that a dash may follow. */
const isWordPunctuation = (character: string | undefined): boolean =>
  isWordCharacter(character) || (character !== undefined && `!"'&.,?`.includes(character));

/** Characters from `start` to `end`: a word, a part of one, dashes, or whitespace. */
interface Chunk {
  readonly start: number;
  readonly end: number;
}

const lengthOf = ({ start, end }: Chunk): number => end - start;

/** Lines of one paragraph. @throws {PythonError} ValueError for a width below 1 */
export function wrapParagraph(rendering: Rendering, text: string, options: WrapOptions): string[] {
  if (options.width <= 0) throw valueError(`invalid width ${options.width} (must be > 0)`);
  rendering.spend(text.length);
  return new Wrapping(rendering, characters(text), options).run();
}

class Wrapping {
  readonly #rendering: Rendering;
  readonly #text: readonly string[];
  readonly #options: WrapOptions;
  /** Chunks that are not placed yet, the next one last. */
  readonly #chunks: Chunk[];

  constructor(rendering: Rendering, text: readonly string[], options: WrapOptions) {
    this.#rendering = rendering;
    this.#text = text;
    this.#options = options;
    this.#chunks = split(text, options.breakOnHyphens).toReversed();
  }

  run(): string[] {
    const lines: string[] = [];
    while (this.#chunks.length > 0) {
      this.#rendering.spend(1);
      if (lines.length > 0 && this.#isSpace(this.#chunks.at(-1)!)) this.#chunks.pop();
      const line = this.#takeLine();
      if (line.length > 0 && this.#isSpace(line.at(-1)!)) line.pop();
      if (line.length > 0) lines.push(this.#text.slice(line[0]!.start, line.at(-1)!.end).join(''));
    }
    return lines;
  }

  /** Chunks that fit into a line, and the beginning of a word that fits into none. */
  #takeLine(): Chunk[] {
    const { width } = this.#options;
    const line: Chunk[] = [];
    let length = 0;
    while (this.#chunks.length > 0 && length + lengthOf(this.#chunks.at(-1)!) <= width) {
      length += lengthOf(this.#chunks.at(-1)!);
      line.push(this.#chunks.pop()!);
    }
    if (this.#chunks.length > 0 && lengthOf(this.#chunks.at(-1)!) > width)
      this.#placeLongWord(line, width - length);
    return line;
  }

  #placeLongWord(line: Chunk[], room: number): void {
    if (!this.#options.breakLongWords) {
      if (line.length === 0) line.push(this.#chunks.pop()!);
      return;
    }
    const { start, end } = this.#chunks.pop()!;
    const split = start + this.#lengthToBreakAt(start, room);
    line.push({ start, end: split });
    this.#chunks.push({ start: split, end });
  }

  /** Up to the last hyphen in the room, unless only hyphens are before it. */
  #lengthToBreakAt(start: number, room: number): number {
    if (!this.#options.breakOnHyphens) return room;
    const part = this.#text.slice(start, start + room);
    const hyphen = part.lastIndexOf('-');
    const isAfterWord = hyphen > 0 && part.slice(0, hyphen).some((character) => character !== '-');
    return isAfterWord ? hyphen + 1 : room;
  }

  #isSpace({ start, end }: Chunk): boolean {
    let at = start;
    while (at < end && isSpace(this.#text[at]!.codePointAt(0)!)) at++;
    this.#rendering.walk(at - start);
    return at === end;
  }
}

function split(text: readonly string[], breakOnHyphens: boolean): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = 0; at < text.length;) {
    const start = at;
    if (isBlank(text[at]!)) while (at < text.length && isBlank(text[at]!)) at++;
    else at = breakOnHyphens ? wordEnd(text, at) : nextBlank(text, at);
    chunks.push({ start, end: at });
  }
  return chunks;
}

function nextBlank(text: readonly string[], start: number): number {
  let at = start;
  while (at < text.length && !isBlank(text[at]!)) at++;
  return at;
}

function wordEnd(text: readonly string[], start: number): number {
  if (isWordPunctuation(text[start - 1]) && dashEnd(text, start) !== undefined) return dashEnd(text, start)!;
  for (let at = start + 1; ; at++) {
    if (isHyphen(text, at)) return at + 1;
    if (at >= text.length || isBlank(text[at]!)) return at;
    if (isWordPunctuation(text[at - 1]) && dashEnd(text, at) !== undefined) return at;
  }
}

/** The end of two or more dashes before a word, or undefined. */
function dashEnd(text: readonly string[], start: number): number | undefined {
  let at = start;
  while (text[at] === '-') at++;
  return at - start >= 2 && isWordCharacter(text[at]) ? at : undefined;
}

/** Whether a word can be broken after the hyphen at `at`. */
function isHyphen(text: readonly string[], at: number): boolean {
  if (text[at] !== '-') return false;
  const followsLetters = isLetter(text[at - 1]) && isLetter(text[at - 2]);
  const followsHyphened = isLetter(text[at - 1]) && text[at - 2] === '-' && isLetter(text[at - 3]);
  const precedesLetters =
    isLetter(text[at + 1]) && (isLetter(text[at + 2]) || (text[at + 2] === '-' && isLetter(text[at + 3])));
  return (followsLetters || followsHyphened) && precedesLetters;
}
