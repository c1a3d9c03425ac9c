/** The mask allows a token exactly where an independent matcher can follow its bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Grammar, TokenVocabulary } from '../../core/constraint.js';
import { AloftError } from '../../core/errors.js';
import { checkGrammar } from './check-grammar.js';
import { compileConstraint } from './compile-constraint.js';
import { GrammarBuilder, type NodeId } from './grammar-builder.js';
import { packGrammar } from './packed-grammar.js';
import { largeVocabulary } from './testing/large-vocabulary.js';
import { NaiveMatcher, type Ways } from './testing/naive-matcher.js';
import { randomSource } from './testing/random-texts.js';
import { byteLevelVocabulary, demoVocabulary } from './testing/vocabularies.js';
import { SharedAutomaton, TokenMatcher } from './token-matcher.js';

const BYTES = [...Buffer.from('ab"{}:,1 \\'), ...new Set(Buffer.from('é漢')), 0x80];

function matcherOf(grammar: Grammar, tokens: TokenVocabulary): TokenMatcher {
  const constraint = {
    key: 'test',
    grammar: packGrammar(grammar),
    tokens,
    droppedSpaces: 0,
    startsText: false,
  };
  return new TokenMatcher(new SharedAutomaton(constraint), constraint);
}

function bytesOf(tokens: TokenVocabulary, id: number): Uint8Array {
  return tokens.tokenBytes.subarray(tokens.tokenOffsets[id], tokens.tokenOffsets[id + 1]);
}

/** Follows tokens with both matchers and compares what may come next, at each of them. */
function compare(
  grammar: Grammar,
  tokens: TokenVocabulary,
  options: { seed: number; count: number; sample: number },
): void {
  const random = randomSource(options.seed);
  const naive = new NaiveMatcher(grammar, BYTES);
  const matcher = matcherOf(grammar, tokens);
  let ways = naive.start;
  for (let i = 0; i < options.count; i++) {
    expect(matcher.isAccepting).toBe(naive.isAccepting(ways));
    const { bits } = matcher.mask();
    const isAllowed = (id: number): boolean => ((bits[id >> 5]! >>> (id & 31)) & 1) === 1;
    const known = new Map<string, Ways>([['', ways]]);
    const follow = (bytes: Uint8Array): Ways => {
      const key = Buffer.from(bytes).toString('latin1');
      let found = known.get(key);
      if (found === undefined) {
        const before = follow(bytes.subarray(0, -1));
        known.set(key, (found = before.length === 0 ? [] : naive.step(before, bytes.at(-1)!)));
      }
      return found;
    };
    const allowed: number[] = [];
    for (let id = 0; id < tokens.vocabulary; id++) {
      if (isAllowed(id)) allowed.push(id);
      if (options.sample < 1 && random() > options.sample && !(isAllowed(id) && random() < 0.02)) continue;
      const bytes = bytesOf(tokens, id);
      const isPossible = bytes.length > 0 && follow(bytes).length > 0;
      if (isPossible !== isAllowed(id))
        expect.fail(
          `${isPossible ? 'possible' : 'allowed'} token ${id} ${JSON.stringify(Buffer.from(bytes).toString())} of step ${i}`,
        );
    }
    if (allowed.length === 0) return;
    const chosen = allowed[Math.floor(random() * allowed.length)]!;
    ways = follow(bytesOf(tokens, chosen));
    expect(matcher.accept(chosen)).toBe(true);
  }
}

type Shape = {
  readonly kind: string;
  readonly parts: readonly Shape[];
  readonly text: string;
  readonly counts: readonly [number, number];
};

function shapesOf(depth: number): fc.Arbitrary<Shape> {
  const parts: fc.Arbitrary<readonly Shape[]> =
    depth === 0 ? fc.constant([]) : fc.array(shapesOf(depth - 1), { maxLength: 3 });
  return fc.record({
    kind: fc.constantFrom(
      'text',
      'characters',
      'others',
      'sequence',
      'choice',
      'repeat',
      'many',
      'call',
      'call',
    ),
    parts,
    text: fc.constantFrom('a', 'b', 'ab', '"', 'é', '漢b', '1,', '{"', ''),
    counts: fc.tuple(fc.nat(3), fc.nat(4)),
  });
}

const shapes = shapesOf(3);

function nodeOf(builder: GrammarBuilder, shape: Shape, call: () => NodeId): NodeId {
  const parts = shape.parts.map((part) => nodeOf(builder, part, call));
  const [min, more] = shape.counts;
  const first = parts[0] ?? builder.text(shape.text);
  switch (shape.kind) {
    case 'sequence':
      return builder.sequence(...parts);
    case 'choice':
      return builder.choice(first, ...parts);
    case 'repeat':
      return builder.repeat(builder.sequence(builder.text('a'), first), min, min + more);
    case 'many':
      return builder.repeat(builder.sequence(builder.characters([0x61, 0x7a]), first), min, Infinity);
    case 'characters':
      return builder.characters([0x61, 0x62, 0xe9, 0xe9, 0x6f00, 0x6fff]);
    case 'others':
      return builder.characters([0x20, 0x21, 0x23, 0x5b, 0x5d, 0xd7ff, 0xe000, 0x10ffff]);
    case 'call':
      return call();
    default:
      return builder.text(shape.text);
  }
}

/** A grammar of three rules that call each other; undefined for one that is refused. */
function grammarOf(rules: readonly Shape[]): Grammar | undefined {
  const builder = new GrammarBuilder();
  const declared = rules.map((_, i) => builder.declare(`rule ${i}`));
  for (const [i, { rule }] of declared.entries()) {
    let called = i;
    const call = (): NodeId => declared[++called % declared.length]!.node;
    const node = nodeOf(builder, rules[i]!, call);
    builder.define(rule, builder.choice(builder.sequence(builder.text('b'), node), builder.text('1')));
  }
  const grammar = builder.build(declared[0]!.node);
  try {
    checkGrammar(grammar);
    return grammar;
  } catch (refusal) {
    if (refusal instanceof AloftError) return undefined;
    throw refusal;
  }
}

const CASES: readonly (readonly [
  name: string,
  vocabulary: () => Promise<TokenVocabulary>,
  sample: number,
])[] = [
  ['byte-level BPE', byteLevelVocabulary, 1],
  ["the demo model's SentencePiece vocabulary", demoVocabulary, 1],
  ['128,256 tokens', async () => largeVocabulary(), 0.004],
];

describe.each(CASES)('masks over %s', (_, vocabularyOf, sample) => {
  it('agree with a byte-by-byte matcher for random grammars', async () => {
    const tokens = await vocabularyOf();
    fc.assert(
      fc.property(fc.array(shapes, { minLength: 3, maxLength: 3 }), fc.nat(), (rules, seed) => {
        const grammar = grammarOf(rules);
        fc.pre(grammar !== undefined);
        compare(grammar, tokens, { seed, count: 5, sample });
      }),
      { numRuns: sample < 1 ? 8 : 40, seed: 11 },
    );
  });

  it('agree with it where bounds lie about the length of the longest token', async () => {
    const tokens = await vocabularyOf();
    const { maxDepth } = tokens.trie;
    for (const bound of [maxDepth, maxDepth + 1]) {
      const schemas = [
        { type: 'string', minLength: bound, maxLength: bound },
        { type: 'string', pattern: `^(?:a{${bound + 5}}|b+)$`, maxLength: bound },
      ];
      for (const [seed, schema] of schemas.entries())
        compare(compileConstraint({ type: 'json_schema', schema }), tokens, { seed, count: 2, sample });
    }
  });

  it('agree with it for schemas, patterns and grammars', async () => {
    const tokens = await vocabularyOf();
    const constraints = [
      { type: 'json_object' },
      {
        type: 'json_schema',
        schema: {
          type: 'object',
          properties: {
            a: { type: 'string', maxLength: 12 },
            b: { type: 'integer', minimum: -3, maximum: 120 },
          },
        },
      },
      { type: 'json_schema', schema: { type: 'string', pattern: '^[a-b]+1$', minLength: 3, maxLength: 4 } },
      { type: 'regex', pattern: '(?:ab|é){1,3}(?:"1)*' },
      { type: 'grammar', grammar: 'root ::= "{" (root | [^}"]{0,4}) "}"' },
      {
        type: 'grammar',
        grammar:
          'root ::= "{" ws string ":" ws (root | "1") ws "}"\nstring ::= "\\"" char* "\\""\n' +
          'char ::= [^"\\\\] | "\\\\" ["\\\\a]\nws ::= [ ]*',
      },
      { type: 'choice', choices: ['ab', 'a1', '漢'] },
      {
        type: 'structural_tag',
        structures: [{ begin: '{a', schema: { enum: ['b', 1] }, end: '}' }],
        triggers: ['{a'],
      },
    ] as const;
    for (const [seed, constraint] of constraints.entries())
      compare(compileConstraint(constraint), tokens, { seed, count: sample < 1 ? 3 : 6, sample });
  });
});

it('digits of multiples of some hundred have a mask, with bounds, too', async () => {
  const tokens = await demoVocabulary();
  for (const schema of [{ multipleOf: 599 }, { multipleOf: 317, minimum: 0, maximum: 100_000 }]) {
    const grammar = compileConstraint({ type: 'json_schema', schema: { type: 'integer', ...schema } });
    const packed = packGrammar(grammar);
    const constraint = { key: 'test', grammar: packed, tokens, droppedSpaces: 0, startsText: false };
    expect(new TokenMatcher(new SharedAutomaton(constraint), constraint).mask()).toBeDefined();
  }
});

it('a state without a mask is refused at once the next time, for the same reason', async () => {
  const schema = { type: 'integer', multipleOf: 999 };
  const grammar = compileConstraint({ type: 'json_schema', schema });
  const constraint = {
    key: 'test',
    grammar: packGrammar(grammar),
    tokens: await demoVocabulary(),
    droppedSpaces: 0,
    startsText: false,
  };
  const shared = new SharedAutomaton(constraint);
  const refusal = (): unknown => {
    try {
      return new TokenMatcher(shared, constraint).mask();
    } catch (thrown) {
      return thrown;
    }
  };
  const first = refusal();
  expect(first).toMatchObject({ code: 'REQUEST_INVALID' });
  expect(refusal()).toBe(first);
});
