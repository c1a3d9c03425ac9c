/** State that the parts of the parser share. */
import type { Nesting } from './nesting.js';
import type { Expression } from './nodes.js';
import type { TokenStream } from './tokens.js';

export interface ParserState {
  readonly stream: TokenStream;
  readonly nesting: Nesting;
  /** Parses an expression; without conditional ones where `if` begins something else. */
  readonly parseExpression: (hasConditional?: boolean) => Expression;
}
