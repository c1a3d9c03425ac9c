/** Drives an executor through steps: what the conformance suite stands on. */
import { expect } from 'vitest';
import { buildStep, type StepRow } from '../../../core/build-step.js';
import { GREEDY, type SamplingParams } from '../../../core/sampling.js';
import type { StepOutput } from '../../../core/step.js';
import type { Executor, ExecutorLimits } from '../executor.js';

/** Makes an executor of one and the same random model with these limits. */
export type ExecutorFactory = (limits: Omit<ExecutorLimits, 'vocabulary'>) => Executor;

/** Wraps the body of a test: gives it a driver and disposes its executor. */
export type WithDriver = (body: (driver: Driver) => Promise<void>) => () => Promise<void>;

export function withDriverOf(factory: ExecutorFactory): WithDriver {
  return (body) => async () => {
    const driver = new Driver(factory);
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

  constructor(factory: ExecutorFactory) {
    this.executor = factory(LIMITS);
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
  ): Promise<number[]> {
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
    return all;
  }

  /** Runs a prompt and `count - 1` decode steps with token feedback; returns the sampled tokens. */
  async generate(
    slot: number,
    prompt: readonly number[],
    { count, blocks }: { count: number; blocks: readonly number[] },
  ): Promise<number[]> {
    const tokens: number[] = [];
    for (let i = 0; i < count; i++) {
      const row =
        i === 0
          ? { slot, tokenIds: prompt, firstPosition: 0, blocks }
          : { slot, tokenIds: [-1], firstPosition: prompt.length + i - 1, blocks };
      const output = await this.step([row]);
      tokens.push(output.tokenIds[0]!);
    }
    return tokens;
  }
}

/** Prompts and decode steps of three sequences with different starts and chunks in shared steps. */
export async function interleaved(
  driver: Driver,
  prompts: readonly (readonly number[])[],
): Promise<number[][]> {
  const chunk = [7, 9, 11];
  const done = prompts.map(() => 0);
  const results: number[][] = prompts.map(() => []);
  while (results.some((result) => result.length < 6)) {
    const rows = prompts.flatMap((prompt, slot) => {
      if (results[slot]!.length === 6) return [];
      const firstPosition = done[slot]!;
      const isPrompt = firstPosition < prompt.length;
      const tokenIds = isPrompt ? prompt.slice(firstPosition, firstPosition + chunk[slot]!) : [-1];
      done[slot] = firstPosition + tokenIds.length;
      const isLast = done[slot] >= prompt.length;
      const wanted = isLast ? [{ index: tokenIds.length - 1, target: -1 }] : [];
      return [{ slot, tokenIds, firstPosition, wanted, blocks: range(6).map((block) => 6 * slot + block) }];
    });
    const { tokenIds } = await driver.step(rows);
    const samplers = rows.filter(({ wanted }) => wanted.length > 0);
    for (const [i, { slot }] of samplers.entries()) results[slot]!.push(tokenIds[i]!);
  }
  return results;
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

export function logSoftmax(logits: Float32Array): number[] {
  const largest = Math.max(...logits);
  const logSum = largest + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  return Array.from(logits, (value) => value - logSum);
}

export function closeTo(value: number): number {
  return expect.closeTo(value, 4) as number;
}
