/** Python's literals in an answer, handed on as JSON while they are being written. */
import type { AnswerInput, Reading } from './answer-input.js';

type Take = (json: string) => void;

/** Lists in lists at most. */
const MAX_DEPTH = 64;
/** Longest number or name that is read. */
const MAX_WORD = 64;

const WORDS: Readonly<Record<string, string>> = {
  True: 'true',
  False: 'false',
  None: 'null',
  true: 'true',
  false: 'false',
  null: 'null',
};

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\u0007',
  '0': '\0',
  '\n': '',
  '/': '/',
  '\\': '\\',
  '"': '"',
  "'": "'",
};
/** Digits of escapes by number. */
const CODE_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * Reads a text, number, constant, list, tuple or dictionary.
 * @returns false at what is none; nothing of it is read then, but what was handed on
 */
export function* readLiteral(input: AnswerInput, take: Take, depth = 0): Reading<boolean> {
  const first = yield* input.peek();
  if (first === undefined || depth > MAX_DEPTH) return false;
  if (first === '"' || first === "'") return yield* readText(input, take);
  if (first === '[') return yield* readItems(input, take, { end: ']', depth });
  if (first === '(') return yield* readItems(input, take, { end: ')', depth });
  if (first === '{') return yield* readEntries(input, take, depth);
  const word = yield* aheadWord(input);
  const json = WORDS[word] ?? jsonNumber(word);
  if (json === undefined) return false;
  input.read(word.length);
  take(json);
  return true;
}

/** Letters, digits and signs that come next, without reading them. */
function* aheadWord(input: AnswerInput): Reading<string> {
  for (;;) {
    const word = /^[\w.+-]*/.exec(input.available)![0];
    if (word.length > MAX_WORD) return '';
    if (word.length < input.available.length) return word;
    if (yield* input.isAtEnd(word.length)) return word;
  }
}

/** JSON of a number as Python writes it; undefined for what is none. */
function jsonNumber(word: string): string | undefined {
  const plain = word.replaceAll(/(?<=\d)_(?=\d)/g, '');
  if (/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(plain)) return plain;
  if (!/^[+-]?(?:\d|\.\d)/.test(plain)) return undefined;
  const value = plain.startsWith('-') ? -Number(plain.slice(1)) : Number(plain.replace('+', ''));
  return Number.isFinite(value) ? JSON.stringify(value) : undefined;
}

interface List {
  readonly end: string;
  readonly depth: number;
}

function* readItems(input: AnswerInput, take: Take, { end, depth }: List): Reading<boolean> {
  input.read(1);
  take('[');
  for (let isFirst = true; ; isFirst = false) {
    yield* input.space();
    if (yield* input.takes(end)) break;
    if (!isFirst) take(', ');
    if (!(yield* readLiteral(input, take, depth + 1))) return false;
    yield* input.space();
    if (!(yield* input.takes(',')) && (yield* input.peek()) !== end) return false;
  }
  take(']');
  return true;
}

function* readEntries(input: AnswerInput, take: Take, depth: number): Reading<boolean> {
  input.read(1);
  take('{');
  for (let isFirst = true; ; isFirst = false) {
    yield* input.space();
    if (yield* input.takes('}')) break;
    let key = '';
    if (!(yield* readLiteral(input, (json) => (key += json), depth + 1))) return false;
    yield* input.space();
    if (!(yield* input.takes(':'))) return false;
    // Keys of JSON are texts.
    take(`${isFirst ? '' : ', '}${key.startsWith('"') ? key : JSON.stringify(key)}: `);
    yield* input.space();
    if (!(yield* readLiteral(input, take, depth + 1))) return false;
    yield* input.space();
    if (!(yield* input.takes(',')) && (yield* input.peek()) !== '}') return false;
  }
  take('}');
  return true;
}

function* readText(input: AnswerInput, take: Take): Reading<boolean> {
  const quote = input.read(1);
  take('"');
  for (;;) {
    const run = /^[^"'\\]+/.exec(input.available)?.[0] ?? '';
    // Half of a character waits for the other half.
    const isHalf = /[\ud800-\udbff]$/.test(run) && run.length === input.available.length;
    const whole = isHalf ? run.slice(0, -1) : run;
    if (whole !== '') take(escaped(input.read(whole.length)));
    if (isHalf) {
      if (yield* input.isAtEnd(1)) return false;
      continue;
    }
    const next = yield* input.peek();
    if (next === undefined) return false;
    if (next === quote) break;
    if (next === '\\') {
      if (!(yield* readEscape(input, take))) return false;
    } else if (next === '"' || next === "'") take(escaped(input.read(1)));
  }
  input.read(1);
  take('"');
  return true;
}

function* readEscape(input: AnswerInput, take: Take): Reading<boolean> {
  if (yield* input.isAtEnd(1)) return false;
  const sign = input.available[1]!;
  const digits = CODE_DIGITS[sign] ?? 0;
  for (let count = 2; count < 2 + digits; count++) if (yield* input.isAtEnd(count)) return false;
  const code = /^[0-9a-fA-F]+$/.exec(input.available.slice(2, 2 + digits))?.[0];
  if (code?.length === digits && Number.parseInt(code, 16) <= 0x10ffff) {
    input.read(2 + digits);
    take(escaped(String.fromCodePoint(Number.parseInt(code, 16))));
    return true;
  }
  // Python keeps the backslash before any other sign.
  input.read(ESCAPES[sign] === undefined ? 1 : 2);
  take(escaped(ESCAPES[sign] ?? '\\'));
  return true;
}

const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);
