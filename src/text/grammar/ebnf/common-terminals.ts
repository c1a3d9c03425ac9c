/** The terminals that grammars of Lark import from `common`, by name, as regular expressions: https://github.com/lark-parser/lark (grammars/common.lark). */
export const COMMON_TERMINALS: ReadonlyMap<string, string> = new Map([
  ['DIGIT', '[0-9]'],
  ['HEXDIGIT', '[0-9a-fA-F]'],
  ['INT', '[0-9]+'],
  ['SIGNED_INT', '[+-]?[0-9]+'],
  ['DECIMAL', '[0-9]+\\.[0-9]*|\\.[0-9]+'],
  ['FLOAT', floatOf('')],
  ['SIGNED_FLOAT', floatOf('[+-]?')],
  ['NUMBER', `${floatOf('')}|[0-9]+`],
  ['SIGNED_NUMBER', `${floatOf('[+-]?')}|[+-]?[0-9]+`],
  ['ESCAPED_STRING', '"(?:[^"\\\\\\n]|\\\\[^\\n])*"'],
  ['LCASE_LETTER', '[a-z]'],
  ['UCASE_LETTER', '[A-Z]'],
  ['LETTER', '[A-Za-z]'],
  ['WORD', '[A-Za-z]+'],
  ['CNAME', '[A-Za-z_][A-Za-z0-9_]*'],
  ['WS_INLINE', '[ \\t]+'],
  ['WS', '[ \\t\\f\\r\\n]+'],
  ['CR', '\\r'],
  ['LF', '\\n'],
  ['NEWLINE', '(?:\\r?\\n)+'],
  ['SH_COMMENT', '#[^\\n]*'],
  ['CPP_COMMENT', '\\/\\/[^\\n]*'],
  ['C_COMMENT', '\\/\\*(?:[^*]|\\*+[^*/])*\\*+\\/'],
  ['SQL_COMMENT', '--[^\\n]*'],
]);

function floatOf(sign: string): string {
  const exponent = '[eE][+-]?[0-9]+';
  return `${sign}[0-9]+${exponent}|${sign}(?:[0-9]+\\.[0-9]*|\\.[0-9]+)(?:${exponent})?`;
}
