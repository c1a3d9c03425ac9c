import { describe, expect, test } from 'vitest';
import type { Constraint, TokenConstraint } from '../../core/constraint.js';
import type { StepStats } from '../../core/batcher-stats.js';
import type { Clock } from '../../core/clock.js';
import type { RequestId } from '../../core/ids.js';
import type { BatcherEvent, TokenRequest } from '../../core/request.js';
import { GREEDY } from '../../core/sampling.js';
import { compileConstraint } from '../../text/grammar/compile-constraint.js';
import { packGrammar } from '../../text/grammar/packed-grammar.js';
import { SharedAutomaton, TokenMatcher } from '../../text/grammar/token-matcher.js';
import { ToyExecutor } from '../executor/testing/toy-executor.js';
import { Batcher } from './batcher.js';
import { type BatcherOptions, DEFAULT_BATCHER_OPTIONS } from './batcher-options.js';
import { ManualClock } from './testing/manual-clock.js';
import { tokenRequest } from './testing/mixed-requests.js';
import { OutcomeCollector, runToEnd } from './testing/outcome.js';
import { toyLimits } from './testing/toy-limits.js';
import { toyVocabulary } from './testing/toy-vocabulary.js';

/** Texts of the tokens; the last one is the end. */
const TOKENS = [
  'a',
  'b',
  'c',
  'ab',
  'bc',
  'abc',
  '1',
  '12',
  '{',
  '}',
  '"',
  ':',
  ',',
  '{"',
  '":',
  '"a"',
  ' ',
  '[',
  ']',
  '[]',
  '',
];
const END = TOKENS.length - 1;
const LIMITS = toyLimits(TOKENS.length);
const VOCABULARY = toyVocabulary('toy', TOKENS);

function constraintOf(constraint: Constraint, tokens = VOCABULARY): TokenConstraint {
  const key = JSON.stringify(constraint);
  return {
    key,
    grammar: packGrammar(compileConstraint(constraint)),
    tokens,
    droppedSpaces: 0,
    startsText: false,
  };
}

/** Texts of two characters' pairs, or a list of them: never short, never endless. */
const PAIRS = constraintOf({ type: 'regex', pattern: '(?:[abc]1){2,5}' });
const LONG = constraintOf({ type: 'regex', pattern: '(?:[abc]1){9}' });
const LIST = constraintOf({ type: 'grammar', grammar: 'root ::= "[" (root ("," root)*)? "]"' });

const constrained = (
  id: string,
  constraint: TokenConstraint,
  changes: Partial<TokenRequest> = {},
): TokenRequest => tokenRequest(id, { constraint, endIds: [END], maxOutputTokens: 20, ...changes });

function open(options: Partial<BatcherOptions> = {}, limits: Partial<typeof LIMITS> = {}) {
  const executor = new ToyExecutor({ limits: { ...LIMITS, ...limits } });
  const calls = recordCalls(executor);
  const batcher = new Batcher(executor, { ...DEFAULT_BATCHER_OPTIONS, ...options }, new ManualClock());
  const steps: StepStats[] = [];
  batcher.onStep((stats) => steps.push(stats));
  return { batcher, steps, calls };
}

/** Writes down the calls of an executor that concern steps. */
function recordCalls(executor: ToyExecutor): readonly string[] {
  const calls: string[] = [];
  const submit = executor.submit.bind(executor);
  const supplyMasks = executor.supplyMasks.bind(executor);
  const collect = executor.collect.bind(executor);
  executor.submit = (step) => {
    calls.push(`submit ${step.stepId}${step.maskCount > 0 && !step.masksFollow ? ' with masks' : ''}`);
    submit(step);
  };
  executor.supplyMasks = (stepId, masks) => {
    calls.push(`masks of ${stepId}`);
    supplyMasks(stepId, masks);
  };
  executor.collect = async () => {
    const output = await collect();
    calls.push(`collect ${output.stepId}`);
    return output;
  };
  return calls;
}

const textOf = (tokenIds: readonly number[]): string => tokenIds.map((id) => TOKENS[id]).join('');

/** Whether tokens are an answer, or the beginning of one. */
function judge(constraint: TokenConstraint, tokenIds: readonly number[]): 'answer' | 'beginning' | 'wrong' {
  const matcher = new TokenMatcher(new SharedAutomaton(constraint), constraint);
  for (const id of tokenIds) if (!matcher.accept(id)) return 'wrong';
  return matcher.isAccepting ? 'answer' : 'beginning';
}

function expectValid(collector: OutcomeCollector, constraint: TokenConstraint, count = 1): void {
  expect(collector.faults).toEqual([]);
  expect(collector.outcome.error).toBeUndefined();
  expect(collector.outcome.sequences.size).toBe(count);
  for (const { tokenIds, finishReason } of collector.outcome.sequences.values())
    expect([textOf(tokenIds), judge(constraint, tokenIds)]).toEqual([
      textOf(tokenIds),
      finishReason === 'length' ? expect.stringMatching(/answer|beginning/) : 'answer',
    ]);
}

const DRAWS = { ...GREEDY, temperature: 1.5 };

describe('constraints', () => {
  test.each([true, false])('hold for every kind of request, overlapped: %s', async (overlap) => {
    const { batcher } = open({ overlap });
    const requests = [
      constrained('greedy', PAIRS),
      constrained('draws', PAIRS, { sampling: { ...DRAWS, seed: 5n, logprobs: 2 } }),
      constrained('several', PAIRS, { sampling: { ...DRAWS, seed: 9n }, sequenceCount: 3 }),
      constrained('best of', PAIRS, { sampling: { ...DRAWS, seed: 1n }, sequenceCount: 1, bestOf: 3 }),
      constrained('penalties', PAIRS, {
        sampling: { ...DRAWS, repetitionPenalty: 2, frequencyPenalty: 1, seed: 3n },
      }),
      constrained('min tokens', PAIRS, { sampling: { ...DRAWS, minTokens: 12, seed: 3n } }),
      constrained('bias', PAIRS, {
        sampling: { ...GREEDY, logitBias: new Map([[12, 1e5]]), badWords: [[6]] },
      }),
      constrained('no end id', PAIRS, { endIds: [] }),
      constrained('short', PAIRS, { maxOutputTokens: 3 }),
    ];
    const collectors = await runToEnd(batcher, requests);
    for (const [i, collector] of collectors.entries())
      expectValid(collector, PAIRS, requests[i]!.sequenceCount);
    expect(batcher.kv.freeCount + batcher.kv.cachedCount).toBe(LIMITS.blockCount);
  });

  test.each(['guaranteed_no_evict', 'max_utilization'] as const)(
    'give the same output with few blocks, preempted or not (%s)',
    async (policy) => {
      const requests = ['a', 'b', 'c', 'd'].map((id, i) =>
        constrained(id, LONG, {
          sampling: { ...DRAWS, seed: BigInt(i) },
          promptTokenIds: Int32Array.of(1, 2, i),
        }),
      );
      const alone = await Promise.all(requests.map((request) => runToEnd(open().batcher, [request])));
      const small = open({ policy }, { blockCount: 9 });
      const together = await runToEnd(small.batcher, requests);
      for (const [i, collector] of together.entries())
        expect(collector.outcome.sequences).toEqual(alone[i]![0]!.outcome.sequences);
      if (policy === 'max_utilization')
        expect(small.steps.reduce((sum, { preemptionCount }) => sum + preemptionCount, 0)).toBeGreaterThan(0);
    },
  );

  test('give the same output behind a prefix that was computed before', async () => {
    const { batcher, steps } = open();
    const request = (id: string): TokenRequest =>
      constrained(id, LONG, {
        sampling: { ...DRAWS, seed: 4n },
        promptTokenIds: Int32Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9]),
      });
    const [first] = await runToEnd(batcher, [request('first')]);
    const [again] = await runToEnd(batcher, [request('again')]);
    expectValid(again!, LONG);
    expect(again!.outcome.sequences).toEqual(first!.outcome.sequences);
    expect(steps.reduce((sum, { prefixHitTokens }) => sum + prefixHitTokens, 0)).toBeGreaterThan(0);
  });

  test('end where nothing can follow, without a token for the end', async () => {
    const { batcher } = open();
    const choice = constraintOf({ type: 'choice', choices: ['abc', 'bc1'] });
    const [collector] = await runToEnd(batcher, [constrained('a', choice, { endIds: [] })]);
    const [sequence] = collector!.outcome.sequences.values();
    expect(['abc', 'bc1']).toContain(textOf(sequence!.tokenIds));
    expect(sequence!.finishReason).toBe('stop');
  });

  test('rows run in every step of the overlapped form, constrained or not', async () => {
    const { batcher, steps } = open({ overlap: true });
    const stepsOf = (request: TokenRequest): number[] => {
      const taken: number[] = [];
      batcher.submit(request, ({ type }) => (type === 'token' ? void taken.push(steps.length) : undefined));
      return taken;
    };
    const free = stepsOf(tokenRequest('free', { maxOutputTokens: 24, promptTokenIds: Int32Array.of(4) }));
    const held = stepsOf(constrained('held', LONG));
    while (await batcher.turn()) continue;
    expect(free).toEqual(free.map((_, i) => free[0]! + i));
    expect(free).toHaveLength(24);
    expect(held).toEqual(held.map((_, i) => held[0]! + i));
    expect(held.length).toBeGreaterThan(9);
  });

  test('are followed while the next step runs: only its sampling waits for them', async () => {
    const { batcher, calls } = open({ overlap: true });
    await runToEnd(batcher, [constrained('a', LONG, { maxOutputTokens: 4 })]);
    expect(calls).toEqual([
      ...[
        'submit 0 with masks',
        'submit 1',
        'collect 0',
        'masks of 1',
        'submit 2',
        'collect 1',
        'masks of 2',
      ],
      ...['submit 3', 'collect 2', 'masks of 3', 'collect 3'],
    ]);
    const plain = open({ overlap: false });
    await runToEnd(plain.batcher, [constrained('a', LONG, { maxOutputTokens: 2 })]);
    expect(plain.calls).toEqual(['submit 0 with masks', 'collect 0', 'submit 1 with masks', 'collect 1']);
  });

  test.each(['cancel', 'endSequence', 'submit'] as const)(
    'leave others alone when a request takes to %s between a step and its masks',
    async (act) => {
      const others = ['b', 'c'].map((id, i) =>
        constrained(id, LONG, { sampling: { ...DRAWS, seed: BigInt(i) } }),
      );
      const expected = await Promise.all(others.map((request) => runToEnd(open().batcher, [request])));
      const { batcher } = open({ overlap: true });
      const collectors = [constrained('a', LONG), ...others].map((request) => {
        const collector = new OutcomeCollector();
        batcher.submit(request, collector.take);
        return collector;
      });
      for (let i = 0; i < 4; i++) await batcher.turn();
      // The turn has submitted its step and waits for the step before.
      const turn = batcher.turn();
      const { id } = constrained('a', LONG);
      if (act === 'cancel') batcher.cancel(id);
      else if (act === 'endSequence') batcher.endSequence(id, 0);
      else batcher.submit(constrained('d', PAIRS), () => undefined);
      await turn;
      while (await batcher.turn()) batcher.kv.checkIntegrity();
      for (const [i, collector] of collectors.slice(1).entries())
        expect(collector.outcome.sequences).toEqual(expected[i]![0]!.outcome.sequences);
      expect(collectors.map(({ isOver }) => isOver)).toEqual([true, true, true]);
      expect(batcher.health.state).toBe('running');
    },
  );

  test('beams keep to them, each with its own state', async () => {
    const { batcher } = open();
    const beam = { width: 3, lengthPenalty: 1, earlyStopping: false };
    const pairs = constrained('pairs', PAIRS, { beam, sequenceCount: 3, bestOf: 3 });
    const list = constrained('list', LIST, { beam: { ...beam, width: 2 }, sequenceCount: 1 });
    const [a, b] = await runToEnd(batcher, [pairs, list]);
    expectValid(a!, PAIRS, 3);
    expectValid(b!, LIST);
    const texts = [...a!.outcome.sequences.values()].map(({ tokenIds }) => textOf(tokenIds));
    expect(new Set(texts).size).toBe(3);
  });

  test.each<[string, Partial<TokenRequest>, RegExp]>([
    [
      'a vocabulary that cannot write them',
      { constraint: constraintOf({ type: 'choice', choices: ['xyz'] }) },
      /No token of the model's vocabulary can follow/,
    ],
    [
      'beams without an end id',
      { endIds: [], beam: { width: 2, lengthPenalty: 1, earlyStopping: true } },
      /need an end id/,
    ],
    [
      'another vocabulary',
      { constraint: { ...PAIRS, tokens: { ...VOCABULARY, vocabulary: 9 } } },
      /a vocabulary of 9 tokens/,
    ],
  ])('refuse %s', async (_, changes, message) => {
    const { batcher } = open();
    const events: BatcherEvent[] = [];
    batcher.submit(constrained('a', PAIRS, changes), (event) => events.push(event));
    expect(events).toMatchObject([
      {
        type: 'failed',
        error: { code: 'REQUEST_INVALID', message: expect.stringMatching(message) as string },
      },
    ]);
    expect(await batcher.turn()).toBe(false);
  });

  test('end a request alone where no token can follow in the middle', async () => {
    const { batcher } = open();
    const stuck = constrained('stuck', constraintOf({ type: 'choice', choices: ['abxa', 'abyb'] }));
    const [failed, fine] = await runToEnd(batcher, [stuck, constrained('fine', PAIRS)]);
    expect(failed!.outcome.error).toBe('REQUEST_INVALID');
    expectValid(fine!, PAIRS);
    expect(batcher.health.state).toBe('running');
  });
});

describe('constraints that take long to begin', () => {
  /** Numbers whose digits decide together: finding out what may follow takes more work than a mask may. */
  const ambiguous = (divisor: number): TokenConstraint =>
    constraintOf({ type: 'json_schema', schema: { type: 'integer', multipleOf: divisor } });
  const batcherWith = (nowMs: Clock['nowMs']) =>
    new Batcher(new ToyExecutor({ limits: LIMITS }), DEFAULT_BATCHER_OPTIONS, { nowMs });

  test('leave steps to others in between, however many come at once', async () => {
    const batcher = batcherWith(() => performance.now());
    const other = new OutcomeCollector();
    batcher.submit(tokenRequest('other', { endIds: [], maxOutputTokens: 20 }), other.take);
    const refused = Array.from({ length: 12 }, () => new OutcomeCollector());
    for (const [i, { take }] of refused.entries())
      batcher.submit(constrained(`refused ${i}`, ambiguous(999 - 2 * i)), take);
    while (other.tokenCount < 2 && (await batcher.turn()));
    expect(refused.filter(({ isOver }) => isOver).length).toBeLessThan(6);
    while (await batcher.turn());
    expect(refused.map(({ outcome }) => outcome.error)).toEqual(refused.map(() => 'REQUEST_INVALID'));
    expect(other.outcome.sequences.get(0)?.tokenIds).toHaveLength(20);
  });

  test('can be cancelled, and end with the batcher, while they wait', async () => {
    let timeMs = 0;
    const batcher = batcherWith(() => (timeMs += 10));
    const submit = (id: string) => {
      const collector = new OutcomeCollector();
      batcher.submit(constrained(id, PAIRS), collector.take);
      return collector;
    };
    const [begun, waiting, cancelled] = ['begun', 'waiting', 'cancelled'].map(submit);
    expect(submit('waiting').outcome.error).toBe('REQUEST_INVALID'); // the id is in use
    batcher.cancel('cancelled' as RequestId);
    expect([begun, waiting, cancelled].map((one) => one!.outcome.error)).toEqual([
      undefined,
      undefined,
      'CANCELLED',
    ]);
    await batcher.close();
    expect([begun, waiting].map((one) => one!.outcome.error)).toEqual(['SHUTTING_DOWN', 'SHUTTING_DOWN']);
    expect([begun, waiting, cancelled].flatMap((one) => one!.faults)).toEqual([]);
  });

  test('begin in the order in which they came', async () => {
    let timeMs = 0;
    const batcher = batcherWith(() => (timeMs += 10));
    const ended: string[] = [];
    for (const id of ['a', 'b', 'c'])
      batcher.submit(constrained(id, ambiguous(999)), ({ type }) => type === 'failed' && ended.push(id));
    expect(ended).toEqual(['a']);
    await batcher.turn();
    expect(ended).toEqual(['a', 'b']);
    await batcher.turn();
    expect([ended, await batcher.turn()]).toEqual([['a', 'b', 'c'], false]);
  });
});
