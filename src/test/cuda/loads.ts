/** Steps that a model runs when it is compared with the reference: prompts, chunks, and decode batches that change. */
import type { ExecutorLimits } from '../../run/executor/executor.js';

/** Tokens that a row of a step runs: part of the prompt, or a decode token that is fed back on the device. */
export interface Part {
  readonly slot: number;
  readonly prompt?: readonly [begin: number, end: number];
}

export interface Load {
  /** Tokens of each sequence's prompt; a sequence has the slot of its index. */
  readonly promptLengths: readonly number[];
  readonly steps: readonly (readonly Part[])[];
  readonly limits: Omit<ExecutorLimits, 'vocabulary'>;
}

const LIMITS = {
  maxStepTokens: 1024,
  maxRows: 24,
  maxLogits: 64,
  blockTokens: 16,
  blockCount: 512,
  hostBlockCount: 8,
  maxSequenceTokens: 512,
};

/** Decode tokens of these slots, in so many steps. */
const decode = (stepCount: number, slots: readonly number[]): Part[][] =>
  Array.from({ length: stepCount }, () => slots.map((slot) => ({ slot })));

/** Whole prompts; one in two chunks beside decodes; then decode batches that grow and shrink. */
export const MIXED_LOAD: Load = loadOf([5, 1, 70, 130, 33, 2, 400, 64, 17], LIMITS, (whole) => [
  [0, 1, 2, 3].map(whole),
  [...[4, 5, 7, 8].map(whole), { slot: 6, prompt: [0, 90] }],
  [{ slot: 0 }, { slot: 6, prompt: [90, 400] }, { slot: 3 }],
  ...decode(4, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
  ...decode(3, [0, 3, 5]),
  ...decode(1, [6]),
]);

/** Contexts over 512 and over 1,024 tokens, one of them reached while it decodes, beside a short one. */
export const LONG_LOAD: Load = loadOf(
  [1050, 510, 3],
  { ...LIMITS, maxSequenceTokens: 1088, blockCount: 3 * 68 },
  (whole) => [
    [{ slot: 0, prompt: [0, 700] }, whole(2)],
    [{ slot: 0, prompt: [700, 1050] }, whole(1)],
    ...decode(6, [0, 1, 2]),
    ...decode(2, [0]),
  ],
);

const MANY_PROMPTS = [20, 40, 100, 200, 300, 600, ...Array.from({ length: 34 }, () => 25)];

/** Steps of every class of rows up to 1,024: prompts alone and together, and decode batches of 20 and 40. */
export const MANY_LOAD: Load = loadOf(
  MANY_PROMPTS,
  { ...LIMITS, maxRows: 40, maxSequenceTokens: 640 },
  (whole) => [
    ...[0, 1, 2, 3, 4, 5].map((slot) => [whole(slot)]),
    [...MANY_PROMPTS.keys()].slice(6).map(whole),
    ...decode(1, [...MANY_PROMPTS.keys()]),
    ...decode(1, [...MANY_PROMPTS.keys()].slice(0, 20)),
  ],
);

function loadOf(
  promptLengths: readonly number[],
  limits: Load['limits'],
  stepsOf: (whole: (slot: number) => Part) => readonly (readonly Part[])[],
): Load {
  const steps = stepsOf((slot) => ({ slot, prompt: [0, promptLengths[slot]!] }));
  return { promptLengths, limits, steps };
}
