import { type AST, RegExpParser, RegExpSyntaxError } from '@eslint-community/regexpp';
import { checkSourceLength, constraintError, GRAMMAR_LIMITS } from '../limits.js';

/**
 * Parses a pattern of ECMA-262: with the flag `u` as JSON Schema advises, else as browsers read old ones. Groups may have names as in
 * Python and Rust, too: `(?P<name>...)`.
 * @throws {AloftError} REQUEST_INVALID
 */
export function parsePattern(source: string, where: string): AST.Pattern {
  checkSourceLength(where, source);
  checkNesting(source, where);
  const pattern = source.replaceAll(NAMED_GROUP, (text, opening: string | undefined) =>
    opening === undefined ? text : '(?<',
  );
  const parser = new RegExpParser({ ecmaVersion: 2024 });
  const parse = (unicode: boolean): AST.Pattern =>
    parser.parsePattern(pattern, 0, pattern.length, { unicode, unicodeSets: false });
  try {
    return parse(true);
  } catch (fault) {
    if (!(fault instanceof RegExpSyntaxError)) throw fault;
    try {
      return parse(false);
    } catch {
      throw constraintError(
        `The ${where} is not a regular expression of ECMA-262: ${fault.message.replace(/^Invalid regular expression: /, '')}.`,
      );
    }
  }
}

/** Escapes and classes, which are kept as they are, or the opening of a named group. */
const NAMED_GROUP = /\\.|\[(?:\\.|[^\]\\])*\]|(\(\?P<)/gsu;

/** The parser recurses, and a stack has an end. */
function checkNesting(pattern: string, where: string): void {
  let depth = 0;
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === '\\') i++;
    else if (pattern[i] === '(' && ++depth > GRAMMAR_LIMITS.depth)
      throw constraintError(`The ${where} nests more than ${GRAMMAR_LIMITS.depth} groups; simplify it.`);
    else if (pattern[i] === ')') depth--;
  }
}
