import { expect, it } from 'vitest';
import { describeGpuKernels, type KernelChoice } from '../../builder/testing/test-kernels.js';
import { AttentionCase, type AttendingRow } from '../paged-attention/testing/attention-case.js';
import { roundoff } from '../testing/activations.js';
import { firstDifference, relativeError } from '../testing/compare.js';
import { ropeAppendLaunch } from './cuda.js';

const HEADS = [
  { headCount: 1, kvHeadCount: 1, headDim: 16 },
  { headCount: 3, kvHeadCount: 3, headDim: 48 },
  { headCount: 8, kvHeadCount: 2, headDim: 128 },
  { headCount: 2, kvHeadCount: 1, headDim: 256 },
];
const CACHES = [undefined, 'i8', 'f8e4m3'] as const;
/** Rows with a single new token are left to decode attention. */
const ROWS: readonly AttendingRow[] = [
  { cached: 0, fresh: 2 },
  { cached: 5, fresh: 1 },
  { cached: 13, fresh: 17 },
  { cached: 0, fresh: 1 },
  { cached: 3, fresh: 300 },
];
const CHOICES: readonly KernelChoice[] = [
  ...HEADS.flatMap((heads) => CACHES.map((kvDtype) => ({ dtype: 'f16' as const, heads, kvDtype }))),
  ...CACHES.map((kvDtype) => ({ dtype: 'bf16' as const, heads: HEADS[1]!, kvDtype, blockTokens: 24 })),
];
const CASES = CHOICES.map((choice) => [JSON.stringify(choice), choice] as const);

describeGpuKernels('ropeAppend', (open) => {
  it.each(CASES)('rotates and appends with %s', (_, choice) => {
    const kernels = open(choice);
    const attention = new AttentionCase(kernels, ROWS);
    const operands = attention.upload();
    const { step, qkv, problem } = attention;
    kernels.run(ropeAppendLaunch({ ...problem, tokens: step.tokenCount }, operands));

    const actual = { ...qkv, data: kernels.activations(operands.qkv, qkv.data.length) };
    const expected = attention.rotated();
    const cache = attention.cache;
    attention.eachFresh((row, position, token) => {
      const [begin, end] = [token * qkv.columnCount, (token + 1) * qkv.columnCount];
      const found = actual.data.subarray(begin, end);
      if (ROWS[row]!.fresh === 1) {
        expect(firstDifference(found, qkv.data.subarray(begin, end))).toBe(-1);
        return;
      }
      const error = relativeError(found, expected.data.subarray(begin, end));
      expect(error).toBeLessThan(1.01 * roundoff(choice.dtype) + 1e-6);
      for (const place of attention.placesOf(row, position)) {
        const vector = attention.vectorOf(actual, token, place);
        // Values are stored as they were given, keys as they were rotated.
        if (place.part === 'value')
          expect(firstDifference(vector, attention.vectorOf(qkv, token, place))).toBe(-1);
        cache.write(place, vector);
      }
    });
    // Nothing but the new tokens has changed, and they are in the cache bit by bit as the reference would store them.
    expect(firstDifference(attention.download(operands).bytes, cache.bytes)).toBe(-1);
  });
});
