/** Steps that a model runs when it is compared with the reference: prompts, chunks, and decode batches that change. */
import type { StepRow } from '../../core/build-step.js';
import { seededRandom } from '../../core/random.js';
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

const LONE_PROMPTS = [20, 40, 100, 150, 200, 300, 450, 600];
const MANY_PROMPTS = [...LONE_PROMPTS, ...Array.from({ length: 34 }, () => 25)];
const MANY_SLOTS = [...MANY_PROMPTS.keys()];

/** Steps of every class of rows from 20 to 1,024: prompts alone and together, and decode batches of 42 and 20. */
export const MANY_LOAD: Load = loadOf(
  MANY_PROMPTS,
  { ...LIMITS, maxRows: MANY_PROMPTS.length, maxSequenceTokens: 640, blockCount: 40 * MANY_PROMPTS.length },
  (whole) => [
    ...LONE_PROMPTS.map((_, slot) => [whole(slot)]),
    MANY_SLOTS.slice(LONE_PROMPTS.length).map(whole),
    ...decode(1, MANY_SLOTS),
    ...decode(1, MANY_SLOTS.slice(0, 20)),
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

/** A sequence of a load, as it runs. */
export interface LoadSequence {
  readonly slot: number;
  readonly prompt: readonly number[];
  readonly history: number[];
  readonly blocks: readonly number[];
}

/** The sequences of a load, with random prompts. */
export function sequencesOf({ promptLengths, limits }: Load, vocabulary: number): LoadSequence[] {
  const random = seededRandom(11);
  const count = promptLengths.length;
  const blockCount = Math.ceil(limits.maxSequenceTokens / limits.blockTokens);
  return promptLengths.map((length, slot) => {
    const prompt = Array.from({ length }, () => Math.floor(random.next() * vocabulary));
    const blocks = Array.from({ length: blockCount }, (_, i) => i * count + slot);
    return { slot, prompt, history: [...prompt], blocks };
  });
}

/** The row that runs a part. @param isDevice whether the last token is fed back where it was sampled */
export function stepRow({ slot, prompt }: Part, sequence: LoadSequence, isDevice: boolean): StepRow {
  const { history, blocks } = sequence;
  if (prompt !== undefined) {
    const [begin, end] = prompt;
    const row = { slot, tokenIds: sequence.prompt.slice(begin, end), firstPosition: begin, blocks };
    if (end === sequence.prompt.length) return row;
    // Nothing may be sampled in the middle of a prompt: it would take the place of the next token in the history.
    return { ...row, wanted: [{ index: end - begin - 1, target: sequence.prompt[end]! }] };
  }
  return { slot, tokenIds: [isDevice ? -1 : history.at(-1)!], firstPosition: history.length - 1, blocks };
}

/** Whether a part's row gets a token: not in the middle of a prompt. */
export const isSampled = ({ prompt }: Part, sequence: LoadSequence): boolean =>
  prompt === undefined || prompt[1] === sequence.prompt.length;
