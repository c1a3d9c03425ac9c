import { describe, expect, test } from 'vitest';
import type { TokenConstraint } from '../../core/constraint.js';
import type { TokenCourse, TokenCourseEdge } from '../../core/course.js';
import type { TokenRequest } from '../../core/request.js';
import { GREEDY } from '../../core/sampling.js';
import { compileConstraint } from '../../text/grammar/compile-constraint.js';
import { packGrammar } from '../../text/grammar/packed-grammar.js';
import { ToyExecutor } from '../executor/testing/toy-executor.js';
import { Batcher } from './batcher.js';
import { type BatcherOptions, DEFAULT_BATCHER_OPTIONS } from './batcher-options.js';
import { ManualClock } from './testing/manual-clock.js';
import { tokenRequest } from './testing/mixed-requests.js';
import { type OutcomeCollector, runToEnd } from './testing/outcome.js';
import { toyLimits } from './testing/toy-limits.js';
import { toyVocabulary } from './testing/toy-vocabulary.js';

/** Texts of the tokens; the last one is the end. */
const TOKENS = ['a', 'b', 'c', 'ab', 'bc', '1', '12', '[', ']', '<', '>', '<>', ' ', ''];
const END = TOKENS.length - 1;
const LIMITS = toyLimits(TOKENS.length);
const tokens = toyVocabulary('courses', TOKENS);
const PAIRS: TokenConstraint = {
  key: 'pairs',
  grammar: packGrammar(compileConstraint({ type: 'regex', pattern: '(?:[abc]1){2,5}' })),
  tokens,
  droppedSpaces: 0,
  startsText: false,
};

const ids = (...texts: readonly string[]): number[] => texts.map((text) => TOKENS.indexOf(text));
const edge = (texts: readonly string[], to: number, part?: TokenCourseEdge['part']): TokenCourseEdge => ({
  starts: [ids(...texts)],
  leadingSpace: '',
  part,
  to,
});
const held = { type: 'constrained', constraint: PAIRS } as const;

/** `[`, pairs, `]`, once or several times with `<>` between, behind free text of at most three tokens that ends with `>`. */
const COURSE: TokenCourse = {
  tokens,
  start: 0,
  nodes: [
    {
      isFinal: false,
      edges: [
        edge([], 1, {
          type: 'free',
          until: Buffer.from('>'),
          mayEnd: false,
          budget: { tokens: 3, closing: ids('<', '>') },
        }),
      ],
    },
    { isFinal: false, edges: [edge(['['], 2, held)] },
    { isFinal: false, edges: [edge([']'], 3)] },
    { isFinal: true, edges: [edge(['<>', '['], 2, held)] },
  ],
};
const WHOLE = /^[^>]*>\[(?:[abc]1){2,5}\](?:<>\[(?:[abc]1){2,5}\])*$/;

const DRAWS = { ...GREEDY, temperature: 1.5 };
const following = (id: string, changes: Partial<TokenRequest> = {}): TokenRequest =>
  tokenRequest(id, { course: COURSE, endIds: [END], maxOutputTokens: 60, ...changes });

function open(options: Partial<BatcherOptions> = {}, limits: Partial<typeof LIMITS> = {}): Batcher {
  const executor = new ToyExecutor({ limits: { ...LIMITS, ...limits } });
  return new Batcher(executor, { ...DEFAULT_BATCHER_OPTIONS, ...options }, new ManualClock());
}

function expectWhole({ faults, outcome }: OutcomeCollector, count = 1): void {
  expect(faults).toEqual([]);
  expect(outcome.error).toBeUndefined();
  expect(outcome.sequences.size).toBe(count);
  for (const { tokenIds, finishReason } of outcome.sequences.values()) {
    const text = tokenIds.map((id) => TOKENS[id]).join('');
    const first = tokenIds.findIndex((id) => TOKENS[id]!.includes('>'));
    expect(first, text).toBeLessThan(5);
    expect(text.slice(text.indexOf('>') + 1)).toMatch(/^\[(?:[abc]1){0,5}/);
    if (finishReason !== 'length') expect(text).toMatch(WHOLE);
  }
}

describe('courses', () => {
  test.each([true, false])('are taken by every kind of request, overlapped: %s', async (overlap) => {
    const batcher = open({ overlap });
    const requests = [
      following('greedy'),
      ...[1n, 2n, 3n, 4n].map((seed) => following(`draws ${seed}`, { sampling: { ...DRAWS, seed } })),
      following('several', { sampling: { ...DRAWS, seed: 9n }, sequenceCount: 3 }),
      following('beams', { beam: { width: 2, lengthPenalty: 1, earlyStopping: true } }),
      following('short', { maxOutputTokens: 7 }),
    ];
    const collectors = await runToEnd(batcher, requests);
    for (const [i, collector] of collectors.entries()) expectWhole(collector, requests[i]!.sequenceCount);
    expect(batcher.kv.freeCount + batcher.kv.cachedCount).toBe(LIMITS.blockCount);
  });

  test('give the same output with few blocks, preempted or not', async () => {
    const requests = ['a', 'b', 'c', 'd'].map((id, i) =>
      following(id, { sampling: { ...DRAWS, seed: BigInt(i) }, maxOutputTokens: 20 }),
    );
    const alone = await Promise.all(requests.map((request) => runToEnd(open(), [request])));
    const together = await runToEnd(open({ policy: 'max_utilization' }, { blockCount: 12 }), requests);
    for (const [i, collector] of together.entries()) {
      expectWhole(collector);
      expect(collector.outcome.sequences).toEqual(alone[i]![0]!.outcome.sequences);
    }
  });
});
