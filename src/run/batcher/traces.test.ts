/** Random traces: whatever is submitted, cancelled, delayed or preempted, the invariants of the batcher hold. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TokenConstraint } from '../../core/constraint.js';
import type { TokenRequest } from '../../core/request.js';
import { GREEDY } from '../../core/sampling.js';
import { compileConstraint } from '../../text/grammar/compile-constraint.js';
import { packGrammar } from '../../text/grammar/packed-grammar.js';
import { ToyExecutor } from '../executor/testing/toy-executor.js';
import { BATCHING_TYPES, SCHEDULER_POLICIES } from '../../core/engine-options.js';
import { Batcher } from './batcher.js';
import { DEFAULT_BATCHER_OPTIONS } from './batcher-options.js';
import { ManualClock } from './testing/manual-clock.js';
import { tokenRequest } from './testing/mixed-requests.js';
import { type Outcome, OutcomeCollector, runToEnd } from './testing/outcome.js';
import { toyVocabulary } from './testing/toy-vocabulary.js';

const VOCABULARY = 24;
const BLOCK_TOKENS = 2;
const MAX_SEQUENCE_TOKENS = 40;

const rarely = (values: fc.Arbitrary<number>) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values });

const KINDS = [
  ...(['greedy', 'sampled', 'continuations', 'bestOf'] as const),
  ...(['beams', 'penalisedBeams', 'scored', 'stopLists'] as const),
  ...(['constrained', 'constrainedBeams'] as const),
];

const requestSpecs = fc.record({
  /** Prompts are beginnings of two fixed texts, so that they meet in the prefix index. */
  text: fc.nat(1),
  promptCount: fc.integer({ min: 1, max: 20 }),
  maxOutputTokens: fc.oneof(
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 4 }) },
    { weight: 2, arbitrary: fc.integer({ min: 8, max: 20 }) },
  ),
  kind: fc.constantFrom(...KINDS),
  width: fc.integer({ min: 1, max: 4 }),
  seed: fc.nat(9),
  endIds: fc.constantFrom<number[][]>([], [], [], [3], [0, 1]),
  priority: fc.integer({ min: -1, max: 1 }),
  salt: fc.constantFrom(undefined, 'a'),
  queueTimeoutMs: rarely(fc.integer({ min: 1, max: 40 })),
  deadlineMs: rarely(fc.integer({ min: 1, max: 60 })),
});
type RequestSpec = typeof requestSpecs extends fc.Arbitrary<infer Spec> ? Spec : never;

const actions = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('submit' as const),
      specs: fc.array(requestSpecs, { minLength: 1, maxLength: 6, size: 'max' }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('cancel' as const), which: fc.nat(40) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('endSequence' as const),
      which: fc.nat(40),
      sequence: fc.nat(3),
    }),
  },
  // A conversation goes on: prompt, answer, and a little more.
  { weight: 1, arbitrary: fc.record({ type: fc.constant('followUp' as const), which: fc.nat(40) }) },
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 12 }) }),
  },
);

/** Small memories and the policy that preempts come most often: that is where faults hide. */
const setups = fc.record({
  batchingType: fc.constantFrom('inflight_fused_batching', ...BATCHING_TYPES),
  policy: fc.constantFrom('max_utilization', 'max_utilization', ...SCHEDULER_POLICIES),
  overlap: fc.boolean(),
  prefixReuse: fc.boolean(),
  swap: fc.boolean(),
  blockCount: fc.integer({ min: 19, max: 44 }),
  hostBlockCount: fc.constantFrom(0, 0, 3, 20, 60),
  maxSequenceCount: fc.integer({ min: 4, max: 10 }),
  extraStepTokens: fc.constantFrom<number[]>(0, 1, 3, 8, 30),
  maxQueuedRequests: rarely(fc.constant(3)),
});
type Setup = typeof setups extends fc.Arbitrary<infer S> ? S : never;

const TEXTS = [0, 1].map((text) =>
  Int32Array.from({ length: 20 }, (_, i) => (i * (7 + text) + text) % VOCABULARY),
);

/** Pairs of a letter and a digit; some have only beginnings that no token continues. */
const CONSTRAINTS = ['(?:[a-h][0-7]){2,9}', '(?:[a-d][0-7])*', '(?:[a-h][0-7]){3}(?:x|[a-c]1)'].map(
  (pattern): TokenConstraint => ({
    key: pattern,
    grammar: packGrammar(compileConstraint({ type: 'regex', pattern })),
    tokens: toyVocabulary('traces', [
      'a',
      'b',
      'c',
      'd',
      'e',
      'f',
      'g',
      'h',
      '0',
      '1',
      '2',
      '3',
      '4',
      '5',
      '6',
      '7',
      'a0',
      'b1',
      '1c',
      '2d',
      'e4f',
      '',
      '-',
      '7a7',
    ]),
    droppedSpaces: 0,
    startsText: false,
  }),
);

function requestOf(id: string, spec: RequestSpec): TokenRequest {
  const promptTokenIds = TEXTS[spec.text]!.slice(0, spec.promptCount);
  const { width, seed, endIds, priority, maxOutputTokens, queueTimeoutMs, deadlineMs, salt } = spec;
  const request = tokenRequest(id, {
    promptTokenIds,
    maxOutputTokens,
    endIds,
    priority,
    queueTimeoutMs,
    deadlineMs,
    cacheSalt: salt,
    sampling: { ...GREEDY, seed: BigInt(seed), temperature: spec.kind === 'greedy' ? 0 : 1 },
  });
  switch (spec.kind) {
    case 'continuations':
      return { ...request, sequenceCount: width, bestOf: width };
    case 'bestOf':
      return { ...request, bestOf: width };
    case 'beams':
      return { ...request, beam: { width, lengthPenalty: 1, earlyStopping: seed % 2 === 0 } };
    case 'penalisedBeams':
      return {
        ...request,
        beam: { width, lengthPenalty: 1, earlyStopping: seed % 2 === 0 },
        sampling: {
          ...GREEDY,
          repetitionPenalty: 1.5,
          frequencyPenalty: 1,
          minTokens: seed,
          badWords: [[seed], [seed + 1, seed + 2]],
        },
      };
    case 'scored':
      return {
        ...request,
        sampling: { ...request.sampling, promptLogprobs: 1, logprobs: 1 },
        returnContextLogits: true,
        sequenceCount: width,
        bestOf: width,
      };
    case 'stopLists':
      return { ...request, stopTokenLists: [[seed], [seed + 1, seed + 2]] };
    case 'constrained':
    case 'constrainedBeams': {
      const constraint = CONSTRAINTS[seed % CONSTRAINTS.length];
      if (spec.kind === 'constrained') return { ...request, constraint, sequenceCount: width, bestOf: width };
      return { ...request, constraint, beam: { width, lengthPenalty: 1, earlyStopping: seed % 2 === 0 } };
    }
    default:
      return request;
  }
}

function openToy(setup: Setup): ToyExecutor {
  const maxStepTokens = setup.maxSequenceCount + setup.extraStepTokens;
  return new ToyExecutor({
    limits: {
      maxStepTokens,
      maxRows: setup.maxSequenceCount,
      maxLogits: setup.maxSequenceCount + (setup.extraStepTokens % 2),
      blockTokens: BLOCK_TOKENS,
      blockCount: setup.blockCount,
      hostBlockCount: setup.hostBlockCount,
      maxSequenceTokens: MAX_SEQUENCE_TOKENS,
      vocabulary: VOCABULARY,
    },
  });
}

function openBatcher(setup: Setup, executor: ToyExecutor, clock: ManualClock): Batcher {
  const { batchingType, policy, overlap, prefixReuse, swap, maxQueuedRequests } = setup;
  const options = { batchingType, policy, overlap, prefixReuse, swap, maxQueuedRequests };
  return new Batcher(executor, { ...DEFAULT_BATCHER_OPTIONS, ...options, priorityHeadStartMs: 5 }, clock);
}

/** Answer to a request that has a large engine for itself. */
async function answerAlone(request: TokenRequest): Promise<Outcome> {
  const roomy: Setup = {
    batchingType: 'inflight_fused_batching',
    policy: 'guaranteed_no_evict',
    overlap: false,
    prefixReuse: false,
    swap: false,
    blockCount: 128,
    hostBlockCount: 0,
    maxSequenceCount: 8,
    extraStepTokens: 64,
    maxQueuedRequests: undefined,
  };
  const untimed = { ...request, queueTimeoutMs: undefined, deadlineMs: undefined };
  const [collector] = await runToEnd(openBatcher(roomy, openToy(roomy), new ManualClock()), [untimed]);
  return collector!.outcome;
}

interface Submitted {
  readonly request: TokenRequest;
  readonly collector: OutcomeCollector;
  /** Sequences that the submitter has ended. */
  readonly ended: Set<number>;
}

class Trace {
  readonly clock = new ManualClock();
  readonly executor: ToyExecutor;
  readonly batcher: Batcher;
  readonly submitted: Submitted[] = [];
  /** Blocks that requests reported. */
  readonly reported = { taken: 0, evicted: 0 };

  constructor(setup: Setup) {
    this.executor = openToy(setup);
    this.batcher = openBatcher(setup, this.executor, this.clock);
  }

  submit(request: TokenRequest): void {
    const collector = new OutcomeCollector();
    this.submitted.push({ request, collector, ended: new Set() });
    this.batcher.submit(request, (event) => {
      collector.take(event);
      if (event.type !== 'finished' && event.type !== 'failed') return;
      const { taken = 0, fresh = 0 } = event.usage.kvBlocks ?? {};
      this.reported.taken += taken;
      this.reported.evicted += taken - fresh;
    });
  }

  followUp(which: number): void {
    const earlier = this.submitted[which % Math.max(1, this.submitted.length)];
    const answer = earlier?.collector.outcome.sequences.get(0)?.tokenIds;
    if (earlier === undefined || answer === undefined) return;
    const promptTokenIds = Int32Array.of(...earlier.request.promptTokenIds, ...answer, 5);
    if (promptTokenIds.length > MAX_SEQUENCE_TOKENS - 4) return;
    const { cacheSalt } = earlier.request;
    this.submit(tokenRequest(`${this.submitted.length}`, { promptTokenIds, maxOutputTokens: 4, cacheSalt }));
  }

  cancel(which: number): void {
    const target = this.submitted[which % Math.max(1, this.submitted.length)];
    if (target === undefined) return;
    this.batcher.cancel(target.request.id);
    expect(target.collector.isOver).toBe(true);
    this.batcher.kv.checkIntegrity();
  }

  endSequence(which: number, sequence: number): void {
    const target = this.submitted[which % Math.max(1, this.submitted.length)];
    if (target === undefined) return;
    const { request, collector, ended } = target;
    const streams = request.beam === undefined && request.bestOf === request.sequenceCount;
    const reason = () => collector.outcome.sequences.get(sequence)?.finishReason;
    const isOpen = streams && !collector.isOver && sequence < request.sequenceCount && reason() === undefined;
    this.batcher.endSequence(request.id, sequence);
    if (isOpen) {
      ended.add(sequence);
      expect(reason()).toBe('stop_word');
    }
    this.batcher.kv.checkIntegrity();
  }

  async turns(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.clock.advance(1);
      await this.batcher.turn();
      this.batcher.kv.checkIntegrity();
    }
  }

  /** Every request ends although each is bounded: more turns than all tokens computed many times over are starvation. */
  async finish(): Promise<void> {
    const tokenCount = this.submitted.length * 4 * MAX_SEQUENCE_TOKENS;
    for (let turn = 0; await this.batcher.turn(); turn++) {
      this.clock.advance(1);
      this.batcher.kv.checkIntegrity();
      expect(turn, 'turns until everything has ended').toBeLessThan(20 * tokenCount);
    }
    // The memory holds what the prefix index promises.
    for (const { memory, block, tokenIds } of this.batcher.kv.prefixes())
      expect(this.executor.holds(memory, block, tokenIds), `${memory} block ${block}`).toBe(true);
  }
}

/** Sequences that the submitter has ended are beginnings of what they would have become; nothing else has changed. */
function compareAnswers(actual: Outcome, alone: Outcome, ended: ReadonlySet<number>): void {
  if (ended.size === 0) expect(actual).toEqual(alone);
  for (const [i, sequence] of actual.sequences) {
    const expected = alone.sequences.get(i)!;
    if (!ended.has(i)) expect(sequence).toEqual(expected);
    // Tokens that may be the beginning of a stop list are emitted when the sequence is ended.
    const common = Math.min(sequence.tokenIds.length, expected.tokenIds.length);
    expect(sequence.tokenIds.slice(0, common)).toEqual(expected.tokenIds.slice(0, common));
    expect(sequence.tokenIds.length - common).toBeLessThan(2);
  }
}

const ENDS_BY_CHOICE = ['CANCELLED', 'QUEUE_TIMEOUT', 'DEADLINE_EXCEEDED', 'QUEUE_FULL'];
const REFUSALS = ['REQUEST_TOO_LARGE', 'REQUEST_INVALID', 'PROMPT_TOO_LONG'];

test('invariants hold and answers are those of a request alone', { timeout: 600_000 }, async () => {
  const alone = new Map<string, Outcome>();
  const property = fc.asyncProperty(
    setups,
    fc.array(actions, { maxLength: 12, size: 'max' }),
    async (setup, steps) => {
      const trace = new Trace(setup);
      for (const step of steps) {
        if (step.type === 'submit')
          for (const spec of step.specs) trace.submit(requestOf(`${trace.submitted.length}`, spec));
        else if (step.type === 'cancel') trace.cancel(step.which);
        else if (step.type === 'endSequence') trace.endSequence(step.which, step.sequence);
        else if (step.type === 'followUp') trace.followUp(step.which);
        else await trace.turns(step.count);
      }
      await trace.finish();
      const { kv } = trace.batcher;
      expect(kv.freeCount + kv.cachedCount).toBe(kv.blockCount);
      // Every block that was ever taken is reported by exactly one request.
      expect(trace.reported).toEqual({ taken: kv.takenCount, evicted: kv.evictedCount });
      for (const { request, collector, ended } of trace.submitted) {
        expect(collector.isOver).toBe(true);
        expect(collector.faults).toEqual([]);
        const { error } = collector.outcome;
        if (error !== undefined) {
          expect([...ENDS_BY_CHOICE, ...REFUSALS]).toContain(error);
          continue;
        }
        const key = JSON.stringify({
          ...request,
          id: '',
          constraint: request.constraint?.key,
          sampling: { ...request.sampling, seed: `${request.sampling.seed}` },
        });
        if (!alone.has(key)) alone.set(key, await answerAlone(request));
        compareAnswers(collector.outcome, alone.get(key)!, ended);
      }
    },
  );
  await fc.assert(property, { numRuns: 2000 });
});
