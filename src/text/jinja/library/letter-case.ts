/** Changes between upper and lower case where Python and JavaScript differ. */
import { characters } from '../values/text.js';

const CASED = /\p{Cased}/u;
const UPPER = /[\p{Uppercase}\p{Lt}]/u;

/** Letters that stand for two, with the form that begins a word in the middle. */
const DIGRAPHS = ['ǄǅǆǄ', 'ǇǈǉǇ', 'ǊǋǌǊ', 'ǱǲǳǱ'];
/** Greek vowels with an iota: lower case, then as they begin a word. */
const IOTA_LETTERS: ReadonlyMap<string, string> = new Map([
  ['ᾳ', 'ᾼ'],
  ['ῃ', 'ῌ'],
  ['ῳ', 'ῼ'],
]);

/** A character as it begins a word. */
function titleCase(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const upper = character.toUpperCase();
  if (code < 0x80) return upper;
  const digraph = DIGRAPHS.find((forms) => forms.includes(character));
  if (digraph !== undefined) return digraph[1]!;
  const isGeorgian = code >= 0x10d0 && code <= 0x10ff;
  if (isGeorgian) return character;
  return (
    greekTitle(character, code, upper) ?? (isLigature(code) ? upper[0] + upper.slice(1).toLowerCase() : upper)
  );
}

function greekTitle(character: string, code: number, upper: string): string | undefined {
  if (code < 0x1f80 || code > 0x1fff) return undefined;
  if (code <= 0x1faf) return String.fromCodePoint(code | 8);
  if (IOTA_LETTERS.has(character)) return IOTA_LETTERS.get(character);
  if ('ᾼῌῼ'.includes(character)) return character;
  return upper.length > 1 ? upper.replace('\u0399', '\u0345') : undefined;
}

const isLigature = (code: number): boolean =>
  code === 0xdf || code === 0x587 || (code >= 0xfb00 && code <= 0xfb17);

const IGNORED = /\p{Case_Ignorable}/u;
/** More marks than any letter has. */
const MAX_MARKS = 30;

/** Whether the next character in a direction, without marks, is a letter that has case. */
function isBesideLetter(all: readonly string[], index: number, step: 1 | -1): boolean {
  for (let at = index + step, seen = 0; seen < MAX_MARKS; at += step, seen++) {
    const character = all[at];
    if (character === undefined) return false;
    if (!IGNORED.test(character)) return CASED.test(character);
  }
  return false;
}

/** Lower case of a character within its text: the Greek sigma has a form for the end of a word. */
function lowerAt(all: readonly string[], index: number): string {
  if (all[index] !== 'Σ') return all[index]!.toLowerCase();
  return isBesideLetter(all, index, -1) && !isBesideLetter(all, index, 1) ? 'ς' : 'σ';
}

export function capitalize(text: string): string {
  const [first] = characters(text.slice(0, 2));
  if (first === undefined) return '';
  return titleCase(first) + text.toLowerCase().slice(first.toLowerCase().length);
}

/** `str.title`: each letter after what is no letter begins a word. */
export function titleWords(text: string): string {
  const all = characters(text);
  let result = '';
  let isInWord = false;
  for (const [i, character] of all.entries()) {
    result += isInWord ? lowerAt(all, i) : titleCase(character);
    isInWord = CASED.test(character);
  }
  return result;
}

export function swapCase(text: string): string {
  const all = characters(text);
  return all
    .map((character, i) => {
      if (/\p{Uppercase}/u.test(character)) return lowerAt(all, i);
      return /\p{Lowercase}/u.test(character) ? character.toUpperCase() : character;
    })
    .join('');
}

/** Case folding, by the way over upper case, except for letters that this way changes. */
export const caseFold = (text: string): string =>
  characters(text)
    .map((character) => {
      const code = character.codePointAt(0)!;
      if (code < 0x80) return character.toLowerCase();
      if (character === 'ı') return character;
      if (character === 'ẞ') return 'ss';
      const isCherokee = (code >= 0x13a0 && code <= 0x13fd) || (code >= 0xab70 && code <= 0xabbf);
      // One by one: at the end of a word, a sigma would get another form.
      return isCherokee ? character.toUpperCase() : lowerEach(character.toUpperCase());
    })
    .join('');

const lowerEach = (text: string): string => Array.from(text, (character) => character.toLowerCase()).join('');

/** Whether the text has letters, all of one case: `is` says which. */
export function hasCase(text: string, is: 'lower' | 'upper'): boolean {
  const wanted = is === 'lower' ? /\p{Lowercase}/u : /\p{Uppercase}/u;
  const other = is === 'lower' ? UPPER : /[\p{Lowercase}\p{Lt}]/u;
  return wanted.test(text) && !other.test(text);
}

/** `str.istitle` */
export function isTitle(text: string): boolean {
  let [isInWord, hasLetters] = [false, false];
  for (const character of text) {
    if (CASED.test(character)) {
      if (UPPER.test(character) === isInWord) return false;
      [isInWord, hasLetters] = [true, true];
    } else isInWord = false;
  }
  return hasLetters;
}
