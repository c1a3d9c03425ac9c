import { describe, expect, it } from 'vitest';
import type { Constraint, TokenConstraint } from '../../core/constraint.js';
import { compileConstraint } from './compile-constraint.js';
import { packGrammar } from './packed-grammar.js';
import { largeVocabulary } from './testing/large-vocabulary.js';
import { AutomatonCache, SharedAutomaton, TokenMatcher } from './token-matcher.js';
import { LexemeTokenCache } from './vocabulary/lexeme-tokens.js';
import { buildVocabulary } from './vocabulary/token-vocabulary.js';

function constraintOf(
  constraint: Constraint,
  other: Pick<TokenConstraint, 'tokens'> & Partial<TokenConstraint>,
): TokenConstraint {
  return {
    key: 'test',
    grammar: packGrammar(compileConstraint(constraint)),
    droppedSpaces: 0,
    startsText: false,
    ...other,
  };
}

const matcherOf = (constraint: TokenConstraint): TokenMatcher =>
  new TokenMatcher(new SharedAutomaton(constraint), constraint);

const allowedIds = (matcher: TokenMatcher, count: number): number[] => {
  const { bits } = matcher.mask();
  return Array.from({ length: count }, (_, id) => id).filter((id) => (bits[id >> 5]! >>> (id & 31)) & 1);
};

/** A vocabulary of these tokens. @param first bytes at the start of a text */
const vocabularyOf = (tokens: readonly string[], first?: readonly string[]) =>
  buildVocabulary({
    key: tokens.join(),
    vocabulary: tokens.length,
    bytesOf: (id) => Buffer.from(tokens[id]!),
    firstBytesOf: first && ((id) => Buffer.from(first[id]!)),
  });

describe('TokenMatcher', () => {
  it('follows a choice to its end', () => {
    const tokens = vocabularyOf(['y', 'es', 'yes', 'no', 'n', '']);
    const matcher = matcherOf(constraintOf({ type: 'choice', choices: ['yes', 'no'] }, { tokens }));
    expect(allowedIds(matcher, 6)).toEqual([0, 2, 3, 4]);
    expect(matcher.accept(0)).toBe(true);
    expect([matcher.isAccepting, allowedIds(matcher, 6)]).toEqual([false, [1]]);
    const other = matcher.fork();
    expect(matcher.accept(1)).toBe(true);
    expect([matcher.isAccepting, matcher.isComplete, matcher.mask().isEmpty]).toEqual([true, true, true]);
    expect(other.accept(3)).toBe(false);
    expect(other.mask().isEmpty).toBe(true);
  });

  it('drops the space that SentencePiece puts before a text, once', () => {
    const tokens = vocabularyOf([' ', ' a', 'a', '  a']);
    const choice = { type: 'choice', choices: ['a', ' a'] } as const;
    const matcher = matcherOf(constraintOf(choice, { tokens, droppedSpaces: 1 }));
    expect(allowedIds(matcher, 4)).toEqual([0, 1, 2, 3]);
    expect(allowedIds(matcherOf(constraintOf(choice, { tokens })), 4)).toEqual([0, 1, 2]);
    matcher.accept(0);
    expect(allowedIds(matcher, 4)).toEqual([0, 1, 2]);
  });

  it('reads the first token by the bytes that it has there', () => {
    const tokens = vocabularyOf([' a', 'b'], ['a', 'b']);
    const matcher = matcherOf(constraintOf({ type: 'regex', pattern: 'a a' }, { tokens, startsText: true }));
    expect(allowedIds(matcher, 2)).toEqual([0]);
    matcher.accept(0);
    expect(allowedIds(matcher, 2)).toEqual([0]);
    expect(matcher.accept(0)).toBe(true);
    expect(matcher.isComplete).toBe(true);
  });

  it('finds its state again when the automaton has started afresh', () => {
    const tokens = vocabularyOf(['a'.repeat(1000), 'a', 'b']);
    const constraint = constraintOf({ type: 'regex', pattern: 'a{1,200000}' }, { tokens });
    const shared = new SharedAutomaton(constraint);
    const matcher = new TokenMatcher(shared, constraint);
    // Each count of characters is a state of its own, so a long text fills the automaton.
    while (shared.generation === 0) expect(matcher.accept(0)).toBe(true);
    expect(allowedIds(matcher.fork(), 3)).toEqual([0, 1]);
    expect(matcher.isAccepting).toBe(true);
  });

  it('shares an automaton between requests with the same grammar', () => {
    const tokens = vocabularyOf(['a']);
    const cache = new AutomatonCache();
    const first = cache.automatonOf(constraintOf({ type: 'regex', pattern: 'a' }, { tokens }));
    expect(cache.automatonOf(constraintOf({ type: 'regex', pattern: 'a' }, { tokens }))).toBe(first);
    for (let i = 0; i < 64; i++)
      cache.automatonOf(constraintOf({ type: 'regex', pattern: 'a' }, { tokens, key: String(i) }));
    expect(cache.automatonOf(constraintOf({ type: 'regex', pattern: 'a' }, { tokens }))).not.toBe(first);
  });

  it('computes what constraints have in common once: few of 128,256 tokens are walked for a second schema', () => {
    const tokens = largeVocabulary();
    const lexemes = new LexemeTokenCache(tokens);
    const workOf = (name: string): number => {
      const schema = { type: 'object', properties: { [name]: { type: 'string' } }, required: [name] };
      const constraint = constraintOf({ type: 'json_schema', schema }, { tokens, key: name });
      const matcher = new TokenMatcher(new SharedAutomaton(constraint, lexemes), constraint);
      for (const byte of Buffer.from(`{"${name}":"some text`)) {
        matcher.mask();
        expect(matcher.accept(byte)).toBe(true);
      }
      expect(matcher.mask()).toBe(matcher.mask());
      return lexemes.current().foundCount;
    };
    const first = workOf('city');
    expect(workOf('town') - first).toBeLessThan(first / 10);
  });
});
