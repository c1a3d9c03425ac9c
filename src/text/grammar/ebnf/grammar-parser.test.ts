import { describe, expect, it } from 'vitest';
import { compileConstraint } from '../compile-constraint.js';
import { matches } from '../testing/random-texts.js';

const compile = (grammar: string) => compileConstraint({ type: 'grammar', grammar });

const ARITHMETIC = `
# sums of products
root  ::= term ("+" term)*
term  ::= factor ("*" factor)*   # binds tighter
factor ::= [0-9]+ | "(" root ")"
`;

describe('parseGrammar', () => {
  it.each<[string, string, readonly string[], readonly string[]]>([
    ['GBNF', ARITHMETIC, ['1', '1+2*(3+4)', '((7))'], ['', '1+', '(1', 'x']],
    [
      'classes',
      'root ::= [^a-c"\\n] [\\x41-\\u0043é] [\\]\\\\-]',
      ['dA]', '漢é-', 'zB\\'],
      ['aA]', 'dD]', '"A]'],
    ],
    [
      'bounds',
      'root ::= "a"{2} "b"{1,2} "c"{1,} ("d" "e"){,1}',
      ['aabc', 'aabbccde'],
      ['abc', 'aabbbc', 'aab'],
    ],
    ['any character', 'root ::= . "\\n" .', ['a\nb', '漢\n\n'], ['a\n', '\n']],
    ['alternatives over lines', 'root ::= "a"\n  | "b"\n  | x-y\nx-y ::= "c"?', ['a', 'b', 'c', ''], ['x']],
    [
      'Lark',
      'start: greeting " " NAME punctuation?\ngreeting: "hello"i | "bye"\nNAME: /[A-Z][a-z]+/\n?punctuation: "!" | "?"',
      ['HeLLo Ada!', 'bye Bo'],
      ['hello ada', 'Bye Bo'],
    ],
    ['Lark repetition', 'start: "a"~2 ("b" | "c")~1..3 /d/i', ['aabd', 'aabcbD'], ['abd', 'aad']],
    [
      'Lark: groups in brackets, ranges, aliases over lines, and imports',
      `start: expr
expr: [SIGN] term (SP ADD SP term)* -> add
| "(" expr ")"
term: INT | HEX+ -> hex
HEX: "a".."f" | "]"
SIGN: ["+" | "-"] "~"
SP: " "
ADD: "+"
%import common.INT
%import common (WS, LF) // not used
%import common.CNAME -> NAME`,
      ['1', '+~12 + 3 + a]f', '(~7)', '((7))'],
      ['g', '1 +2', '(1', '+1', '1 + 2 add'],
    ],
    ['recursion', 'root ::= "[" (root ("," root)*)? "]"', ['[]', '[[],[[]]]'], ['[', '[,]']],
    ['a rule for nothing', 'root ::= "a" empty "b"\nempty ::=', ['ab'], ['a']],
  ])('%s', (_, source, valid, invalid) => {
    const grammar = compile(source);
    for (const text of valid) expect([text, matches(grammar, text)]).toEqual([text, true]);
    for (const text of invalid) expect([text, matches(grammar, text)]).toEqual([text, false]);
  });

  it.each<[string, RegExp]>([
    ['root ::= root "a" | "b"', /Rule 'root' is left-recursive/],
    ['root ::= a\na ::= "x"? b\nb ::= a "y" | "z"', /Rule '[ab]' is left-recursive/],
    ['root ::= "a" missing', /Line 1 of the grammar uses the rule 'missing', which is not defined/],
    ['root ::= "a" x\nx ::= "(" x ")"', /'x' calls itself without an end|'root' calls itself|has no end/],
    ['root ::= "b" | "a" x\nx ::= "(" x ")"', /The rule 'x' of the grammar has no end/],
    ['top ::= "a"', /no rule 'root'/],
    ['begin: "a"', /no rule 'start'/],
    ['root ::= "a"\nroot ::= "b"', /the rule 'root' is defined twice, first in line 1/],
    ['root ::= ("a"', /the group is not closed/],
    ['root ::= "a', /Line 1 of the grammar is not understood from "\\"a"/],
    ['start: "a"\n%ignore " "', /Line 2 of the grammar: %ignore is not supported/],
    ['start: "a" ->', /Line 1 of the grammar: a name is missing behind '->'/],
    ['root ::= "a" -> x', /a rule begins with its name, not with "->"/],
    ['start: "b".."a"', /the range "b".."a" is not one/],
    ['start: "ab".."c"', /the range "ab".."c" is not one/],
    ['start: ["a" | "b"', /the group is not closed/],
    ['start: A\n%import common.A', /Line 2 of the grammar: common.A is not known/],
    ['start: A\n%import other.A', /Line 2 of the grammar: %import is not supported here/],
    ['start: INT\nINT: "1"\n%import common.INT', /the rule 'INT' is defined twice, first in line 2/],
    ['start: /a/x', /the flag 'x'/],
    ['start: /(a)\\1/', /A backreference/],
    ['root ::= "a"{3,2}', /the wrong way round/],
    ['root ::= [z-a]', /a range the wrong way round/],
    ['', /no rule/],
  ])('refuses %j', (source, message) => {
    expect(() => compile(source)).toThrow(message);
  });
});
