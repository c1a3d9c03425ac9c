/**
 * Splits a template into tokens. Whitespace is as transformers sets Jinja up: the line break after a block is removed
 * (trim_blocks), and so is whitespace between the start of a line and a block (lstrip_blocks).
 */
import { skipSpace, skipSpaceBack } from '../values/text.js';
import type { Value } from '../values/value.js';
import { nameEnd, readFloat, readInteger, stringEnd, unescape } from './literals.js';
import { syntaxError, type Token, type TokenType } from './tokens.js';

/** Longer ones first. */
const OPERATORS = '** // == != >= <= + - / * % ~ [ ] ( ) { } > < = . : | , ;'.split(' ');
const CLOSING: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' };

/** Line breaks are \n, and a last one is no part of the template. */
function normalise(source: string): string {
  const text = source.replaceAll(/\r\n?/g, '\n');
  return text.endsWith('\n') ? text.slice(0, -1) : text;
}

export const tokenize = (source: string): Token[] => new Lexer(normalise(source)).run();

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #line = 1;
  /** Start of the text that `#line` does not count yet. */
  #counted = 0;
  /** Whether what was read last ends a line, or nothing was read. */
  #isAtLineStart = true;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    while (this.#at < this.#source.length) this.#readData();
    this.#push('eof', this.#source.length);
    return this.#tokens;
  }

  #lineAt(position: number): number {
    for (; this.#counted < position; this.#counted++)
      if (this.#source.charCodeAt(this.#counted) === 10) this.#line++;
    return this.#line;
  }

  #push(type: TokenType, position: number, text = '', value: Value = null): void {
    this.#tokens.push({ type, text, value, line: this.#lineAt(position) });
  }

  /** Goes to `end`. */
  #consume(end: number): void {
    this.#isAtLineStart = this.#source[end - 1] === '\n';
    this.#at = end;
  }

  /** Reads text up to the next tag, and the tag. */
  #readData(): void {
    const start = this.#at;
    const tag = tagStart(this.#source, start);
    if (tag < 0) {
      this.#push('data', start, this.#source.slice(start));
      this.#consume(this.#source.length);
      return;
    }
    const kind = this.#source[tag + 1]!;
    const sign = signAt(this.#source, tag + 2);
    this.#pushData(start, tag, sign, kind === '{');
    const rawEnd = kind === '%' ? rawBeginEnd(this.#source, tag + 2 + sign.length) : undefined;
    if (rawEnd !== undefined) {
      this.#consume(rawEnd);
      this.#readRaw(tag);
      return;
    }
    this.#consume(tag + 2 + sign.length);
    if (kind === '#') this.#readComment(tag);
    else this.#readTag(kind === '{' ? 'variable' : 'block', tag);
  }

  /** Adds text before a tag, without the whitespace that the tag removes. */
  #pushData(start: number, tag: number, sign: string, isVariable: boolean): void {
    const text = this.#source.slice(start, tag);
    let end = text.length;
    if (sign === '-') end = skipSpaceBack(text, end);
    else if (sign === '' && !isVariable) {
      const lineStart = text.lastIndexOf('\n') + 1;
      if ((lineStart > 0 || this.#isAtLineStart) && skipSpaceBack(text, end) <= lineStart) end = lineStart;
    }
    if (end > 0) this.#push('data', start, text.slice(0, end));
  }

  #readComment(tag: number): void {
    if (this.#at === this.#source.length) return;
    const end = this.#source.indexOf('#}', this.#at);
    if (end < 0) throw syntaxError('Missing end of comment tag', this.#lineAt(tag));
    const sign = end > this.#at ? this.#source[end - 1]! : '';
    this.#consume(tagEnd(this.#source, end + 2, sign));
  }

  /** Reads text up to `{% endraw %}` as it is. */
  #readRaw(begin: number): void {
    const start = this.#at;
    if (start === this.#source.length) return;
    for (let tag = start; ; tag += 2) {
      tag = this.#source.indexOf('{%', tag);
      if (tag < 0) throw syntaxError('Missing end of raw directive', this.#lineAt(begin));
      const sign = signAt(this.#source, tag + 2);
      const end = rawEndEnd(this.#source, tag + 2 + sign.length);
      if (end === undefined) continue;
      this.#pushData(start, tag, sign, false);
      this.#consume(end);
      return;
    }
  }

  /** Reads what is within `{{ }}` or `{% %}`. */
  #readTag(kind: 'variable' | 'block', tag: number): void {
    this.#push(`${kind}_begin`, tag);
    const open: string[] = [];
    for (;;) {
      this.#consumeSpace();
      const end = open.length === 0 ? this.#endOfTag(kind) : undefined;
      if (end !== undefined) {
        this.#push(`${kind}_end`, this.#at);
        this.#consume(end);
        return;
      }
      if (this.#at >= this.#source.length) return;
      this.#readToken(open);
    }
  }

  #consumeSpace(): void {
    this.#at = skipSpace(this.#source, this.#at);
  }

  #endOfTag(kind: 'variable' | 'block'): number | undefined {
    const [source, at] = [this.#source, this.#at];
    const close = kind === 'variable' ? '}}' : '%}';
    if (source.startsWith(close, at)) return kind === 'block' ? tagEnd(source, at + 2, '') : at + 2;
    const isSigned = source[at] === '-' || (source[at] === '+' && kind === 'block');
    if (isSigned && source.startsWith(close, at + 1)) return tagEnd(source, at + 3, source[at]!);
    return undefined;
  }

  #readToken(open: string[]): void {
    const [source, at] = [this.#source, this.#at];
    const float = readFloat(source, at);
    const number = float ?? readInteger(source, at);
    if (number !== undefined) {
      this.#push(float === undefined ? 'integer' : 'float', at, '', number.value);
      this.#at = number.end;
      return;
    }
    const afterName = nameEnd(source, at);
    if (afterName > at) {
      this.#pushName(source.slice(at, afterName));
      this.#at = afterName;
      return;
    }
    const afterString = source[at] === "'" || source[at] === '"' ? stringEnd(source, at) : undefined;
    if (afterString !== undefined) {
      this.#pushString(source.slice(at + 1, afterString - 1));
      this.#at = afterString;
      return;
    }
    this.#readOperator(open);
  }

  #pushName(name: string): void {
    if (!/^[\p{XIDS}_]\p{XIDC}*$/u.test(name))
      throw syntaxError('Invalid character in identifier', this.#lineAt(this.#at));
    this.#push('name', this.#at, name);
  }

  #pushString(text: string): void {
    const line = this.#lineAt(this.#at);
    try {
      this.#push('string', this.#at, '', unescape(text));
    } catch (error) {
      throw syntaxError((error as Error).message, line);
    }
  }

  #readOperator(open: string[]): void {
    const operator = OPERATORS.find((text) => this.#source.startsWith(text, this.#at));
    const line = this.#lineAt(this.#at);
    if (operator === undefined) {
      const character = String.fromCodePoint(this.#source.codePointAt(this.#at)!);
      throw syntaxError(`unexpected char '${character}' at ${this.#at}`, line);
    }
    const closing = CLOSING[operator];
    if (closing !== undefined) open.push(closing);
    else if (')]}'.includes(operator)) {
      const expected = open.pop();
      if (expected === undefined) throw syntaxError(`unexpected '${operator}'`, line);
      if (expected !== operator) throw syntaxError(`unexpected '${operator}', expected '${expected}'`, line);
    }
    this.#push('operator', this.#at, operator);
    this.#at += operator.length;
  }
}

/** The first `{{`, `{%` or `{#` from `start`, or -1. */
function tagStart(source: string, start: number): number {
  for (let at = source.indexOf('{', start); at >= 0; at = source.indexOf('{', at + 1)) {
    const next = source[at + 1];
    if (next === '{' || next === '%' || next === '#') return at;
  }
  return -1;
}

/** The sign of whitespace control at `at`. */
const signAt = (source: string, at: number): string =>
  source[at] === '-' || source[at] === '+' ? source[at] : '';

/** Where text goes on after a tag: behind all whitespace for `-`, behind a line break without a sign. */
function tagEnd(source: string, end: number, sign: string): number {
  if (sign === '-') return skipSpace(source, end);
  return sign !== '+' && source[end] === '\n' ? end + 1 : end;
}

/** The end of `raw %}`, or undefined when the tag is another one. The line break after it stays. */
function rawBeginEnd(source: string, start: number): number | undefined {
  const close = wordEnd(source, start, 'raw');
  if (close === undefined) return undefined;
  if (source.startsWith('-%}', close)) return skipSpace(source, close + 3);
  return source.startsWith('%}', close) ? close + 2 : undefined;
}

/** The end of `endraw %}`, or undefined. */
function rawEndEnd(source: string, start: number): number | undefined {
  const close = wordEnd(source, start, 'endraw');
  if (close === undefined) return undefined;
  const sign = signAt(source, close);
  const end = close + sign.length;
  return source.startsWith('%}', end) ? tagEnd(source, end + 2, sign) : undefined;
}

/** The end of a word and of the whitespace around it, or undefined. */
function wordEnd(source: string, start: number, word: string): number | undefined {
  const at = skipSpace(source, start);
  return source.startsWith(word, at) ? skipSpace(source, at + word.length) : undefined;
}
