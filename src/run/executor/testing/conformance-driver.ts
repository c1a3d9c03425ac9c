/** Drives an executor through steps, and compares what it promises to be equal: the ground of the conformance suite. */
import { expect } from 'vitest';
import { buildStep, type StepRow } from '../../../core/build-step.js';
import { GREEDY, type SamplingParams } from '../../../core/sampling.js';
import type { StepOutput } from '../../../core/step.js';
import { relativeError } from '../../../ops/testing/compare.js';
import type { Executor, ExecutorLimits } from '../executor.js';

/** Fault in the model of an executor. */
export interface ModelFault {
  /** The embedding of this token is no number. */
  readonly nanTokenId: number;
}

/** Makes an executor of one and the same random model with these limits. */
type ExecutorFactory = (
  limits: Omit<ExecutorLimits, 'vocabulary'>,
  fault?: ModelFault,
) => Executor | Promise<Executor>;

/** An implementation of the contract, and what it promises about equal results. */
export interface Subject {
  readonly create: ExecutorFactory;
  /**
   * Largest difference of a token's logits between steps of different classes (docs/guide/reproducibility.md), as a share of
   * their largest magnitude. 0: a token has the same bits in any step.
   */
  readonly tolerance: number;
}

/** Wraps the body of a test: gives it a driver and disposes its executor. */
export type WithDriver = (body: (driver: Driver) => Promise<void>, fault?: ModelFault) => () => Promise<void>;

export function withDriverOf(subject: Subject): WithDriver {
  return (body, fault) => async () => {
    const driver = new Driver(await subject.create(LIMITS, fault), subject.tolerance);
    try {
      await body(driver);
    } finally {
      await driver.executor.dispose();
    }
  };
}

export const BLOCK_TOKENS = 8;
export const LIMITS = {
  maxStepTokens: 128,
  maxRows: 8,
  maxLogits: 128,
  blockTokens: BLOCK_TOKENS,
  blockCount: 64,
  hostBlockCount: 8,
  maxSequenceTokens: 320,
};

type StepOptions = Parameters<typeof buildStep>[1];

/** Drives one executor: attaches slots, runs steps, waits for results. */
export class Driver {
  readonly executor: Executor;
  readonly #tolerance: number;

  constructor(executor: Executor, tolerance: number) {
    this.executor = executor;
    this.#tolerance = tolerance;
  }

  /** Whether a token has the same bits in any step. */
  get isExact(): boolean {
    return this.#tolerance === 0;
  }

  /** Compares logits of the same tokens in steps of different classes. */
  expectSame(actual: Float32Array, expected: Float32Array): void {
    if (this.isExact) expect(actual).toEqual(expected);
    else expect(relativeError(actual, expected)).toBeLessThanOrEqual(this.#tolerance);
  }

  attach(
    slot: number,
    options: {
      sampling?: Partial<SamplingParams>;
      prompt?: number[];
      output?: number[];
      endIds?: number[];
      isBeam?: boolean;
    } = {},
  ): void {
    this.executor.attachSlot({
      slot,
      sampling: { ...GREEDY, ...options.sampling },
      isBeam: options.isBeam ?? false,
      endIds: options.endIds ?? [],
      promptTokenIds: Int32Array.from(options.prompt ?? []),
      outputTokenIds: Int32Array.from(options.output ?? []),
    });
  }

  step(rows: readonly StepRow[], options: StepOptions = {}): Promise<StepOutput> {
    this.executor.submit(buildStep(rows, options));
    return this.executor.collect();
  }

  /** Runs a sequence in chunks of these lengths; returns the logits of all its tokens. */
  async logits(
    tokenIds: readonly number[],
    lengths: readonly number[],
    blocks: readonly number[],
  ): Promise<Float32Array> {
    const all: number[] = [];
    let first = 0;
    for (const length of lengths) {
      const chunk = tokenIds.slice(first, first + length);
      const wanted = chunk.map((_, index) => ({ index, target: 0 }));
      const row = { slot: 0, tokenIds: chunk, firstPosition: first, blocks, wanted };
      const { logits } = await this.step([row], { returnLogits: true });
      all.push(...logits!);
      first += length;
    }
    return Float32Array.from(all);
  }

  /** Runs a prompt and `count - 1` decode steps with token feedback. */
  async generate(
    slot: number,
    prompt: readonly number[],
    { count, blocks }: { count: number; blocks: readonly number[] },
  ): Promise<Generated> {
    const generated: Generated = { tokens: [], logits: [] };
    for (let i = 0; i < count; i++) {
      const row =
        i === 0
          ? { slot, tokenIds: prompt, firstPosition: 0, blocks }
          : { slot, tokenIds: [-1], firstPosition: prompt.length + i - 1, blocks };
      const output = await this.step([row], { returnLogits: true });
      generated.tokens.push(output.tokenIds[0]!);
      generated.logits.push(output.logits!);
    }
    return generated;
  }
}

/** Sampled tokens of a sequence, and the logits that each was sampled from. */
export interface Generated {
  readonly tokens: number[];
  readonly logits: Float32Array[];
}

/** The logits of one row of a step's result. */
export function logitsOf({ logits, logitCount }: StepOutput, index: number): Float32Array {
  const vocabulary = logits!.length / logitCount;
  return logits!.slice(index * vocabulary, (index + 1) * vocabulary);
}

/**
 * Prompts and decode steps of three sequences with different starts and chunks in shared steps.
 * @param given tokens to go on with instead of the sampled ones
 */
export async function interleaved(
  driver: Driver,
  prompts: readonly (readonly number[])[],
  given?: readonly (readonly number[])[],
): Promise<Generated[]> {
  const chunk = [7, 9, 11];
  const done = prompts.map(() => 0);
  const results = prompts.map((): Generated => ({ tokens: [], logits: [] }));
  while (results.some(({ tokens }) => tokens.length < 6)) {
    const rows = prompts.flatMap((prompt, slot) => {
      const count = results[slot]!.tokens.length;
      if (count === 6) return [];
      const firstPosition = done[slot]!;
      const isPrompt = firstPosition < prompt.length;
      const next = given?.[slot]![count - 1] ?? -1;
      const tokenIds = isPrompt ? prompt.slice(firstPosition, firstPosition + chunk[slot]!) : [next];
      done[slot] = firstPosition + tokenIds.length;
      const isLast = done[slot] >= prompt.length;
      const wanted = isLast ? [{ index: tokenIds.length - 1, target: -1 }] : [];
      return [{ slot, tokenIds, firstPosition, wanted, blocks: range(6).map((block) => 6 * slot + block) }];
    });
    const output = await driver.step(rows, { returnLogits: true });
    const samplers = rows.filter(({ wanted }) => wanted.length > 0);
    for (const [i, { slot }] of samplers.entries()) {
      results[slot]!.tokens.push(output.tokenIds[i]!);
      results[slot]!.logits.push(logitsOf(output, i));
    }
  }
  return results;
}

/** A mask that allows these tokens. */
export function maskAllowing(driver: Driver, tokenIds: readonly number[]): Int32Array {
  const mask = new Int32Array(Math.ceil(driver.executor.limits.vocabulary / 32));
  for (const id of tokenIds) mask[id >> 5]! |= 1 << (id & 31);
  return mask;
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Token ids below 100 that differ from one another by more than their order. */
export function tokens(count: number, seed: number): number[] {
  return range(count).map((i) => (i * i * 7 + i * 13 + seed * 31) % 100);
}

export function everyToken(tokenIds: readonly number[]): NonNullable<StepRow['wanted']> {
  return tokenIds.map((_, index) => ({ index, target: 0 }));
}

export function logProbabilitiesOf(logits: Float32Array): number[] {
  const largest = Math.max(...logits);
  const logSum = largest + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  return Array.from(logits, (value) => value - logSum);
}

export function closeTo(value: number): number {
  return expect.closeTo(value, 4) as number;
}
