import { expect, it } from 'vitest';
import { describeGpuKernels, type TestKernels } from '../../builder/testing/test-kernels.js';
import { seededRandom } from '../../core/random.js';
import { randomMatrix } from '../matrix.js';
import { CUDA_DTYPES, roundActivations } from '../testing/activations.js';
import { firstDifference } from '../testing/compare.js';
import { embeddingLaunch } from './cuda.js';
import { embeddingReference } from './reference.js';

const VOCABULARY = 50;
const SIZES = [
  [1, 8],
  [3, 24],
  [7, 2056],
  [130, 4096],
] as const;
const CASES = CUDA_DTYPES.flatMap((dtype) => SIZES.map((size) => [dtype, ...size] as const));

/** A step of tokens in rows of five; every third token is fed back from the slot of its row. */
function stepOf(tokens: number, random: { next(): number }) {
  const id = () => Math.floor(random.next() * VOCABULARY);
  const rowCount = Math.ceil(tokens / 5);
  const tokenRows = Int32Array.from({ length: tokens }, (_, token) => Math.floor(token / 5));
  const rowSlots = Int32Array.from({ length: rowCount }, (_, row) => rowCount - 1 - row);
  const lastTokens = Int32Array.from({ length: rowCount }, (_, slot) => (slot % 4 === 3 ? -1 : id()));
  const tokenIds = Int32Array.from({ length: tokens }, (_, token) => (token % 3 === 2 ? -1 : id()));
  // A slot whose sampling found nothing goes on with token 0.
  const resolved = tokenIds.map((given, token) =>
    given >= 0 ? given : Math.max(0, lastTokens[rowSlots[tokenRows[token]!]!]!),
  );
  return { arrays: { tokenIds, tokenRows, rowSlots, lastTokens }, resolved };
}

function run(
  kernels: TestKernels,
  { arrays }: ReturnType<typeof stepOf>,
  hidden: number,
  { factor = 1, ...table }: { readonly table: number; readonly scale: number; readonly factor?: number },
): Float32Array {
  const tokens = arrays.tokenIds.length;
  const out = kernels.reserve(2 * tokens * hidden);
  const step = {
    tokenIds: kernels.upload(arrays.tokenIds),
    tokenRows: kernels.upload(arrays.tokenRows),
    rowSlots: kernels.upload(arrays.rowSlots),
    lastTokens: kernels.upload(arrays.lastTokens),
  };
  kernels.run(embeddingLaunch({ tokens, hidden, factor }, { ...table, ...step, out }));
  return kernels.activations(out, tokens * hidden);
}

describeGpuKernels('embedding', (open) => {
  it.each(CASES)('copies the bits in %s for %i tokens of %i', (dtype, tokens, hidden) => {
    const kernels = open({ dtype });
    const random = seededRandom(hidden);
    const data = roundActivations(randomMatrix(VOCABULARY, hidden, random).data, dtype);
    const step = stepOf(tokens, random);
    const actual = run(kernels, step, hidden, { table: kernels.uploadActivations(data), scale: 0 });
    const table = { rowCount: VOCABULARY, columnCount: hidden, data };
    expect(firstDifference(actual, embeddingReference(table, step.resolved).data)).toBe(-1);
  });

  it.each(CASES)('multiplies by a factor in %s for %i tokens of %i', (dtype, tokens, hidden) => {
    const kernels = open({ dtype });
    const random = seededRandom(hidden + 2);
    const data = roundActivations(randomMatrix(VOCABULARY, hidden, random).data, dtype);
    const step = stepOf(tokens, random);
    const factor = 7.5625;
    const actual = run(kernels, step, hidden, { table: kernels.uploadActivations(data), scale: 0, factor });
    const table = { rowCount: VOCABULARY, columnCount: hidden, data };
    const expected = embeddingReference(table, step.resolved, factor);
    expect(firstDifference(actual, roundActivations(expected.data, dtype))).toBe(-1);
  });

  it.each(CASES)('scales INT8 rows in %s for %i tokens of %i', (dtype, tokens, hidden) => {
    const kernels = open({ dtype });
    const random = seededRandom(hidden + 1);
    const codes = Int8Array.from(
      { length: VOCABULARY * hidden },
      () => Math.floor(random.next() * 255) - 127,
    );
    const scales = Float32Array.from({ length: VOCABULARY }, () => 0.01 * random.next());
    const step = stepOf(tokens, random);
    const table = { table: kernels.upload(codes), scale: kernels.upload(scales) };
    const actual = run(kernels, step, hidden, table);
    const data = Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / hidden)]!);
    const expected = embeddingReference({ rowCount: VOCABULARY, columnCount: hidden, data }, step.resolved);
    expect(firstDifference(actual, roundActivations(expected.data, dtype))).toBe(-1);
  });
});
