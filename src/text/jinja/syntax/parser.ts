/** Parses a template into statements. */
import { parseExpression } from './expressions.js';
import { tokenize } from './lexer.js';
import { Nesting } from './nesting.js';
import type { Body, Data, Expression, Statement } from './nodes.js';
import { parseTuple } from './primary.js';
import { STATEMENT_PARSERS, type StatementState } from './statements.js';
import { syntaxError, TokenStream } from './tokens.js';

/** @throws {PythonError} TemplateSyntaxError */
export const parseTemplate = (source: string): Body => new Parser(source).run();

class Parser {
  readonly #state: StatementState;
  /** Names that would end the bodies around the current place, innermost last. */
  readonly #endNames: (readonly string[])[] = [];
  readonly #tags: string[] = [];

  constructor(source: string) {
    const state: StatementState = {
      stream: new TokenStream(tokenize(source)),
      nesting: new Nesting(),
      parseExpression: (hasConditional) => parseExpression(state, hasConditional),
      parseBody: (...endNames) => this.#parseBody(endNames),
    };
    this.#state = state;
  }

  run(): Body {
    return this.#parseStatements(undefined);
  }

  /** Reads the rest of a tag and the statements behind it. */
  #parseBody(endNames: readonly string[]): Body {
    const { stream, nesting } = this.#state;
    stream.skipOperator(':');
    const { line } = stream.expect('block_end');
    this.#endNames.push(endNames);
    const body = nesting.within(line, () => this.#parseStatements(endNames));
    if (stream.current.type === 'eof') this.#failAtEnd();
    this.#endNames.pop();
    return body;
  }

  /** @param endNames names of tags that end the body, or undefined for the whole template */
  #parseStatements(endNames: readonly string[] | undefined): Body {
    const { stream } = this.#state;
    const body: Statement[] = [];
    let parts: (Expression | Data)[] = [];
    const flush = (): void => {
      if (parts.length > 0) body.push({ kind: 'output', parts, line: parts[0]!.line });
      parts = [];
    };
    for (;;) {
      const { type, text, line } = stream.current;
      if (type === 'eof') break;
      stream.next();
      if (type === 'data') parts.push({ kind: 'data', text, line });
      else if (type === 'variable_begin') {
        parts.push(parseTuple(this.#state));
        stream.expect('variable_end');
      } else {
        flush();
        if (endNames !== undefined && stream.isName(...endNames)) return body;
        body.push(this.#parseStatement());
        stream.expect('block_end');
      }
    }
    flush();
    return body;
  }

  #parseStatement(): Statement {
    const { type, text, line } = this.#state.stream.current;
    if (type !== 'name') throw syntaxError('tag name expected', line);
    const parse = STATEMENT_PARSERS.get(text);
    if (parse === undefined) this.#fail(`Encountered unknown tag '${text}'.`, text);
    this.#tags.push(text);
    const statement = parse(this.#state);
    this.#tags.pop();
    return statement;
  }

  #failAtEnd(): never {
    this.#fail('Unexpected end of template.', undefined);
  }

  #fail(message: string, tag: string | undefined): never {
    const expected = this.#endNames
      .at(-1)
      ?.map((name) => `'${name}'`)
      .join(' or ');
    const isMisplaced = tag !== undefined && this.#endNames.flat().includes(tag);
    const sentences = [message];
    if (expected !== undefined)
      sentences.push(
        isMisplaced
          ? `You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for ${expected}.`
          : `Jinja was looking for the following tags: ${expected}.`,
      );
    const innermost = this.#tags.at(-1);
    if (innermost !== undefined)
      sentences.push(`The innermost block that needs to be closed is '${innermost}'.`);
    throw syntaxError(sentences.join(' '), this.#state.stream.current.line);
  }
}
