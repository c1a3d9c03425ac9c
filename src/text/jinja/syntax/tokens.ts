/** Tokens, and the stream that the parser reads them from. */
import { PythonError } from '../python-error.js';
import type { Value } from '../values/value.js';

export type TokenType =
  | 'data'
  | 'variable_begin'
  | 'variable_end'
  | 'block_begin'
  | 'block_end'
  | 'name'
  | 'string'
  | 'integer'
  | 'float'
  | 'operator'
  | 'eof';

export interface Token {
  readonly type: TokenType;
  /** Text of the token: a name, an operator, data. */
  readonly text: string;
  /** Value of a literal. */
  readonly value: Value;
  readonly line: number;
}

const DESCRIPTIONS: Readonly<Partial<Record<TokenType, string>>> = {
  data: 'template data / text',
  variable_begin: 'begin of print statement',
  variable_end: 'end of print statement',
  block_begin: 'begin of statement block',
  block_end: 'end of statement block',
  eof: 'end of template',
};

export const describe = (token: Token): string =>
  token.type === 'name' || token.type === 'operator' ? token.text : (DESCRIPTIONS[token.type] ?? token.type);

export const syntaxError = (message: string, line: number): PythonError =>
  new PythonError('TemplateSyntaxError', message, line);

export class TokenStream {
  readonly #tokens: readonly Token[];
  #position = 0;

  /** @param tokens the last one is of type `eof` */
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.#tokens[this.#position]!;
  }

  /** The token after the current one. */
  get following(): Token {
    return this.#tokens[this.#position + 1] ?? this.current;
  }

  /** Goes on and returns the token that was current. */
  next(): Token {
    const token = this.current;
    if (token.type !== 'eof') this.#position++;
    return token;
  }

  isName(...names: readonly string[]): boolean {
    return this.current.type === 'name' && names.includes(this.current.text);
  }

  isOperator(...operators: readonly string[]): boolean {
    return this.current.type === 'operator' && operators.includes(this.current.text);
  }

  /** Goes on if the current token is that name. */
  skipName(name: string): boolean {
    if (!this.isName(name)) return false;
    this.next();
    return true;
  }

  skipOperator(operator: string): boolean {
    if (!this.isOperator(operator)) return false;
    this.next();
    return true;
  }

  expectOperator(operator: string): Token {
    if (!this.isOperator(operator)) this.#failExpecting(operator);
    return this.next();
  }

  expectName(name: string): Token {
    if (!this.isName(name)) this.#failExpecting(name);
    return this.next();
  }

  expect(type: TokenType): Token {
    if (this.current.type !== type) this.#failExpecting(DESCRIPTIONS[type] ?? type);
    return this.next();
  }

  #failExpecting(what: string): never {
    const { line, type } = this.current;
    throw syntaxError(
      type === 'eof'
        ? `unexpected end of template, expected '${what}'.`
        : `expected token '${what}', got '${describe(this.current)}'`,
      line,
    );
  }
}
