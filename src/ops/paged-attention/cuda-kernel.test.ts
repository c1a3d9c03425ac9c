import { expect, it } from 'vitest';
import {
  describeGpuKernels,
  type KernelChoice,
  type TestKernels,
} from '../../builder/testing/test-kernels.js';
import type { QuantisedKvDtype } from '../../plan/kv-dtype.js';
import { rowOf } from '../matrix.js';
import { ropeAppendLaunch } from '../rope/cuda.js';
import { roundoff } from '../testing/activations.js';
import { firstDifference, relativeError } from '../testing/compare.js';
import { prefillLaunch } from './cuda.js';
import { decodeKernelOf, decodeKernelsFor, decodeLaunch, FEW_TOKENS } from './cuda-decode.js';
import type { PieceRule } from './cuda-pieces.js';
import { expandLaunch } from './cuda-expand.js';
import type { AttentionProblem } from './cuda-problem.js';
import { AttentionCase, type AttendingRow } from './testing/attention-case.js';

const heads = (headCount: number, kvHeadCount: number, headDim: number) => ({
  heads: { headCount, kvHeadCount, headDim },
});
const [TINY, SINGLE, ODD, HALF, FULL, GROUPED, LARGEST, EIGHT, SEVEN, SIXTEEN, WIDE] = [
  heads(1, 1, 16),
  heads(4, 4, 32),
  heads(8, 2, 48),
  heads(8, 2, 64),
  heads(2, 2, 128),
  heads(4, 1, 128),
  heads(2, 1, 256),
  heads(16, 2, 64),
  heads(14, 2, 128),
  heads(32, 2, 128),
  heads(16, 2, 256),
];
/** Each size of heads; then each type of cache, each kernel that older devices have, and other blocks, with some of the sizes. */
const CHOICES: readonly KernelChoice[] = [
  ...[TINY, SINGLE, ODD, HALF, FULL, GROUPED, LARGEST].map((size) => ({ dtype: 'f16' as const, ...size })),
  { dtype: 'bf16', ...ODD },
  { dtype: 'bf16', ...FULL },
  { dtype: 'f16', ...SINGLE, kvDtype: 'i8' },
  { dtype: 'f16', ...LARGEST, kvDtype: 'i8', blockTokens: 8 },
  { dtype: 'bf16', ...GROUPED, kvDtype: 'i8' },
  { dtype: 'f16', ...FULL, kvDtype: 'i8' },
  { dtype: 'f16', ...HALF, kvDtype: 'i8', blockTokens: 64 },
  { dtype: 'bf16', ...EIGHT, kvDtype: 'i8', blockTokens: 32 },
  { dtype: 'f16', ...FULL, kvDtype: 'i8', blockTokens: 24 },
  { dtype: 'f16', ...FULL, kvDtype: 'i8', scores: { window: 300, softCap: 4 } },
  { dtype: 'f16', ...ODD, kvDtype: 'f8e4m3' },
  { dtype: 'bf16', ...FULL, kvDtype: 'f8e4m3', blockTokens: 24 },
  { dtype: 'f16', ...HALF, blockTokens: 24 },
  { dtype: 'f16', ...SEVEN },
  { dtype: 'bf16', ...SEVEN, scores: { window: 300, softCap: 4 } },
  { dtype: 'bf16', ...GROUPED, blockTokens: 64 },
  { dtype: 'f16', ...EIGHT, blockTokens: 8, scores: { window: 33 } },
  { dtype: 'f16', ...SIXTEEN, blockTokens: 32 },
  { dtype: 'bf16', ...SIXTEEN, scores: { softCap: 2.5 } },
  { dtype: 'f16', ...WIDE, blockTokens: 24 },
  { dtype: 'f16', ...SINGLE, isOldDevice: true },
  { dtype: 'f16', ...LARGEST, isOldDevice: true },
  { dtype: 'bf16', ...GROUPED, isOldDevice: true, blockTokens: 8 },
  { dtype: 'f16', ...ODD, isOldDevice: true, kvDtype: 'i8' },
  { dtype: 'bf16', ...FULL, isOldDevice: true, kvDtype: 'f8e4m3' },
  { dtype: 'f16', ...HALF, scores: { window: 40 } },
  { dtype: 'f16', ...TINY, scores: { window: 1 } },
  { dtype: 'bf16', ...GROUPED, scores: { window: 257, softCap: 3 } },
  { dtype: 'f16', ...LARGEST, scores: { softCap: 2.5 } },
  { dtype: 'f16', ...SINGLE, kvDtype: 'i8', scores: { window: 513 } },
  { dtype: 'f16', ...ODD, blockTokens: 24, scores: { window: 100 } },
  { dtype: 'f16', ...ODD, isOldDevice: true, scores: { window: 100, softCap: 1.5 } },
  { dtype: 'bf16', ...FULL, isOldDevice: true, kvDtype: 'f8e4m3', scores: { window: 65 } },
];
const CASES = CHOICES.map((choice) => [JSON.stringify(choice), choice] as const);

/** In 8 bits a key that is rounded to the neighbouring activation may get the neighbouring code. */
const CACHE_TOLERANCE: Readonly<Record<QuantisedKvDtype, number>> = { i8: 1e-2, f8e4m3: 3e-2 };
/** Distance of the largest code from the next, as a share of the largest. */
const LARGEST_STEP: Readonly<Record<QuantisedKvDtype, number>> = { i8: 1 / 127, f8e4m3: 32 / 448 };
/** Roundings of the output, and of weights and queries. */
const DECODE_ROUNDINGS = 4;
const PREFILL_ROUNDINGS = 8;
const toleranceOf = ({ dtype, kvDtype }: KernelChoice, roundings: number): number =>
  roundings * roundoff(dtype) + (kvDtype === undefined ? 0 : CACHE_TOLERANCE[kvDtype]);

/** Contexts around the sizes of blocks and of pieces: 64, 128, 256 or 512 tokens. */
const DECODE_ROWS: readonly AttendingRow[] = [
  0, 1, 14, 15, 16, 63, 64, 130, 255, 256, 511, 512, 700, 1030, 1600,
].map((cached) => ({ cached, fresh: 1 }));

/** Prompts around the sizes of tiles, 64 and 128 queries, whole and as later chunks; one row decodes. */
const PREFILL_ROWS: readonly AttendingRow[] = [
  { cached: 0, fresh: 2 },
  { cached: 0, fresh: 64 },
  { cached: 5, fresh: 1 },
  { cached: 7, fresh: 65 },
  { cached: 130, fresh: 127 },
  { cached: 0, fresh: 129 },
  { cached: 400, fresh: 257 },
];

/** Rows in equal pieces, whatever a class of rows would choose: of one cache block to over 512 tokens. */
const CUT_CHOICES: readonly KernelChoice[] = [
  { dtype: 'f16', ...FULL },
  { dtype: 'bf16', ...GROUPED },
  { dtype: 'f16', ...SEVEN, scores: { window: 300 } },
  { dtype: 'f16', ...WIDE, blockTokens: 24 },
  { dtype: 'f16', ...SINGLE, kvDtype: 'i8' },
  { dtype: 'f16', ...FULL, kvDtype: 'i8' },
  { dtype: 'f16', ...FULL, kvDtype: 'i8', scores: { window: 300 } },
  { dtype: 'f16', ...LARGEST, kvDtype: 'i8', blockTokens: 8 },
  { dtype: 'bf16', ...GROUPED, kvDtype: 'i8' },
  { dtype: 'f16', ...HALF, kvDtype: 'i8', blockTokens: 64 },
];
const CUT_CASES = [1, 2, 3, 6].flatMap((count) =>
  CUT_CHOICES.flatMap((choice) =>
    (['few', 'many'] as const).map((size) => [count, JSON.stringify(choice), size, choice] as const),
  ),
);

/** Warps that share a unit over an int8 cache, and tokens of a step whose units are few enough for them on 132 multiprocessors. */
const TEAM_CASES = [
  [6, 9],
  [3, 200],
  [2, 1000],
  [1, 2000],
] as const;
const TEAM_CHOICES = [
  { dtype: 'f16', ...FULL, kvDtype: 'i8' },
  { dtype: 'bf16', ...FULL, kvDtype: 'i8', scores: { window: 300 } },
] as const satisfies readonly KernelChoice[];

/** @param count pieces of a row */
const cutRule = ({ blockTokens }: TestKernels, count: number): PieceRule => ({
  count,
  minTokens: blockTokens,
  maxTokens: 2048,
  stepTokens: blockTokens,
});

const kernelsOf = ({ plan, target, blockTokens }: TestKernels) =>
  decodeKernelsFor(plan, target.computeCapability, blockTokens);

/** Runs decode attention as a step of `tokens` tokens does, and compares output and cache with the reference. */
function expectDecoded(choice: KernelChoice, kernels: TestKernels, tokens: number, rule: PieceRule): void {
  const attention = new AttentionCase(kernels, DECODE_ROWS, rule);
  const { decodeKernels } = attention;
  const operands = attention.upload();
  // Twice: what a launch leaves behind in counters and partial sums is where the next one begins.
  for (let i = 0; i < 2; i++)
    kernels.run(decodeLaunch(decodeKernels, tokens, attention.problem, kernels.target, operands));

  const expected = attention.expected();
  const out = kernels.activations(operands.out, expected.data.length);
  const actual = { ...expected, data: out };
  const tolerance = toleranceOf(choice, DECODE_ROUNDINGS);
  for (const [row, { cached }] of DECODE_ROWS.entries())
    expect(relativeError(rowOf(actual, row), rowOf(expected, row)), `${cached} tokens`).toBeLessThan(
      tolerance,
    );

  const { rowCount } = attention.step;
  const counters = kernels.integers(operands.arrivals, rowCount * attention.dims.kvHeadCount);
  expect(counters.every((count) => count === 0)).toBe(true);
  // The new token is in the cache, and nothing else has changed.
  const found = attention.download(operands);
  const rotated = attention.rotated();
  const { cache } = attention;
  attention.eachFresh((row, position, token) => {
    for (const place of attention.placesOf(row, position)) {
      cache.write(place, attention.vectorOf(rotated, token, place));
      const error = relativeError(found.read(place), cache.read(place));
      // A neighbouring activation, or in 8 bits a neighbouring code.
      const step = choice.kvDtype === undefined ? 0 : LARGEST_STEP[choice.kvDtype];
      expect(error).toBeLessThan(step + 2.01 * roundoff(choice.dtype));
      cache.copyFrom(found, place);
    }
  });
  expect(firstDifference(found.bytes, cache.bytes)).toBe(-1);
}

describeGpuKernels('pagedAttention', (open) => {
  const SIZES = [
    ['few', FEW_TOKENS],
    ['many', FEW_TOKENS + 1],
  ] as const;
  it.each(
    CASES.flatMap(([name, choice]) => SIZES.map(([size, tokens]) => [size, name, choice, tokens] as const)),
  )('decodes %s rows with the kernels of %s', (size, _, choice, tokens) => {
    const kernels = open(choice);
    const { few, many } = kernelsOf(kernels);
    // One kernel for both is compared once.
    if (size === 'few' && few === many) return;
    const rule = decodeKernelOf({ few, many }, tokens).pieces(tokens, kernels.target);
    expectDecoded(choice, kernels, tokens, rule);
  });

  it.each(CUT_CASES)(
    'decodes with %s pieces a row with the kernels of %s, %s rows',
    (count, _, size, choice) => {
      const kernels = open(choice);
      const tokens = size === 'few' ? FEW_TOKENS : FEW_TOKENS + 1;
      expectDecoded(choice, kernels, tokens, cutRule(kernels, count));
    },
  );

  it.each(
    TEAM_CASES.flatMap(([team, tokens]) =>
      [1, 3].flatMap((count) => TEAM_CHOICES.map((choice) => [team, count, choice, tokens] as const)),
    ),
  )('decodes with teams of %i warps and %i pieces a row: %o', (team, count, choice, tokens) => {
    const kernels = open(choice);
    const { kvHeadCount } = choice.heads;
    const shape = kernelsOf(kernels).many.launch(
      { kvHeadCount, decodeItems: 1, headBlockBytes: 0 } as AttentionProblem,
      { ...kernels.target, multiprocessorCount: 132 },
      tokens,
    );
    expect(shape.teams?.warps ?? 1).toBe(team);
    expectDecoded(choice, kernels, tokens, cutRule(kernels, count));
  });

  it.each(CASES)('attends with the kernels of %s', (_, choice) => {
    const kernels = open(choice);
    const attention = new AttentionCase(kernels, PREFILL_ROWS);
    const operands = attention.upload();
    const { problem, prefillKernel, step } = attention;
    kernels.run(ropeAppendLaunch({ ...problem, tokens: step.tokenCount }, operands));
    for (let i = 0; i < 2; i++) kernels.run(prefillLaunch(prefillKernel, problem, kernels.target, operands));

    const expected = attention.expected();
    const out = kernels.activations(operands.out, expected.data.length);
    const tolerance = toleranceOf(choice, PREFILL_ROUNDINGS);
    for (const [row, { cached, fresh }] of PREFILL_ROWS.entries()) {
      const [begin, end] = [step.rowOffsets[row]!, step.rowOffsets[row + 1]!].map(
        (at) => at * expected.columnCount,
      );
      const found = out.subarray(begin, end);
      // A row of one token is decode attention's, which did not run.
      if (fresh === 1) expect(found.every((value) => value === 0)).toBe(true);
      else
        expect(
          relativeError(found, expected.data.subarray(begin, end)),
          `${fresh} tokens after ${cached}`,
        ).toBeLessThan(tolerance);
    }
    const counters = kernels.integers(operands.arrivals, step.rowCount * attention.dims.kvHeadCount);
    expect(counters.every((count) => count === 0)).toBe(true);
    if (!prefillKernel.expands) return;
    const { expandedProblem } = attention;
    kernels.run(expandLaunch(expandedProblem, operands));
    for (let i = 0; i < 2; i++)
      kernels.run(prefillLaunch(prefillKernel, expandedProblem, kernels.target, operands));
    // The same keys and values give the same bits, wherever they were made activations.
    expect(firstDifference(kernels.activations(operands.out, expected.data.length), out)).toBe(-1);
  });
});
