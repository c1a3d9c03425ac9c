import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Automaton } from '../automaton/automaton.js';
import { compileConstraint } from '../compile-constraint.js';
import { matches, randomText, randomSource } from '../testing/random-texts.js';

const compile = (pattern: string) => compileConstraint({ type: 'regex', pattern });

/** Patterns of the kinds that clients send. */
const PATTERNS = [
  'abc|ab|a',
  '(?:a|b)*abb',
  'a{2,4}b{3}c{1,}',
  '[^a-c]?[a-c\\d]+',
  '\\w+@\\w+\\.com',
  '^start.*end$',
  '(?:^a|b)c(?:d|e$)',
  '[\\s\\S]{2}',
  'é+|漢?字',
  '😀{1,2}[🙂-🙈]',
  '\\p{Script=Greek}{2}',
  '(a(b(c)?)?)?',
  '(?:(?:a*)*b?)*',
  '\\x41\\u0042\\u{43}',
  '[\\w.-]+',
  'a.c',
  '(?<year>\\d{4})-(?<month>0[1-9]|1[0-2])',
  '\\/\\*\\.\\[\\]',
  '^(?!ab)(?=.*c$)[a-d]+',
  'a(?!b).{0,3}',
  '(?=[a-c]{2})\\w{1,4}|(?!a)b',
  '',
];

describe('regexNode', () => {
  it.each(PATTERNS)('%s: matches what the engine of JavaScript matches', (pattern) => {
    const expression = new RegExp(`^(?:${pattern})$`, 'u');
    const grammar = compile(pattern);
    const automaton = new Automaton(grammar);
    const random = randomSource(5);
    for (let i = 0; i < 20; i++) {
      const text = randomText(automaton, random, 60)?.toString();
      if (text !== undefined) expect([text, expression.test(text)]).toEqual([text, true]);
    }
    const pieces = [
      'a',
      'b',
      'c',
      'd',
      'e',
      '1',
      '@',
      '.',
      '\n',
      'é',
      '漢',
      '字',
      '😀',
      '🙂',
      'A',
      'B',
      'C',
      'α',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 8 }), (parts) => {
        const text = parts.join('');
        expect([text, matches(grammar, text)]).toEqual([text, expression.test(text)]);
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it.each<[string, RegExp]>([
    ['(a)\\1', /A backreference \(\\1 at character 3\) of the regex/],
    ['(?<x>a)\\k<x>', /A backreference/],
    ['(?:a(?!b))*c', /A lookahead inside a group/],
    ['(?<=a)b', /A lookbehind/],
    ['a\\b', /A word boundary/],
    ['a^b', /A start \^ elsewhere/],
    ['a$b', /An end \$ elsewhere/],
    ['a(', /is not a regular expression of ECMA-262: .*Unterminated group/],
    ['a{2000000}', /A repetition of 2000000 times is too large/],
    [`${'('.repeat(300)}a${')'.repeat(300)}`, /nests more than 200 groups/],
    ['[]', /cannot be satisfied/],
  ])('refuses %s', (pattern, message) => {
    expect(() => compile(pattern)).toThrow(message);
  });
});
