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

/** Lines of one paragraph. @throws {PythonError} ValueError for a width below 1 */
export function wrapParagraph(rendering: Rendering, text: string, options: WrapOptions): string[] {
  const { width } = options;
  if (width <= 0) throw valueError(`invalid width ${width} (must be > 0)`);
  const chunks = split(characters(text), options.breakOnHyphens).toReversed();
  const lines: string[] = [];
  while (chunks.length > 0) {
    rendering.spend(1);
    rendering.read(chunks.at(-1)!.length);
    if (lines.length > 0 && isSpaceChunk(chunks.at(-1)!)) chunks.pop();
    const line: string[][] = [];
    let length = 0;
    while (chunks.length > 0 && length + chunks.at(-1)!.length <= width) {
      length += chunks.at(-1)!.length;
      line.push(chunks.pop()!);
    }
    if (chunks.length > 0 && chunks.at(-1)!.length > width)
      placeLongWord(chunks, line, width - length, options);
    if (line.length > 0 && isSpaceChunk(line.at(-1)!)) line.pop();
    if (line.length > 0) lines.push(line.flat().join(''));
  }
  return lines;
}

const isSpaceChunk = (chunk: readonly string[]): boolean =>
  chunk.every((character) => isSpace(character.codePointAt(0)!));

function placeLongWord(chunks: string[][], line: string[][], room: number, options: WrapOptions): void {
  const chunk = chunks.at(-1)!;
  if (!options.breakLongWords) {
    if (line.length === 0) line.push(chunks.pop()!);
    return;
  }
  let end = room;
  if (options.breakOnHyphens && chunk.length > room) {
    const hyphen = chunk.lastIndexOf('-', room - 1);
    if (room > 0 && hyphen > 0 && chunk.slice(0, hyphen).some((character) => character !== '-'))
      end = hyphen + 1;
  }
  line.push(chunk.slice(0, end));
  chunks[chunks.length - 1] = chunk.slice(end);
}

/** Words, parts of hyphenated words, dashes, and the whitespace between them. */
function split(text: readonly string[], breakOnHyphens: boolean): string[][] {
  const chunks: string[][] = [];
  for (let at = 0; at < text.length;) {
    const start = at;
    if (isBlank(text[at]!)) while (at < text.length && isBlank(text[at]!)) at++;
    else at = breakOnHyphens ? wordEnd(text, at) : nextBlank(text, at);
    chunks.push(text.slice(start, at));
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
