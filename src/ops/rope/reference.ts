import type { StepInput } from '../../core/step.js';
import type { RopeParams } from '../../plan/plan.js';
import { rowOf, type Matrix } from '../matrix.js';
import type { ReferenceKvCache } from '../paged-attention/reference-cache.js';
import { inverseFrequencies, rotationLength, rotationMagnitude } from './rotation.js';

/**
 * Rotates q and k of the step's tokens in place, dimension i with dimension i + headDim / 2 (LLaMA's half-split form), and
 * appends k and v to one layer of the cache.
 * @param qkv [tokens, (heads + 2 kvHeads) * headDim] f32
 * @param op.promptTokens length of the prompt of each row
 */
export function ropeAppendReference(
  qkv: Matrix,
  step: StepInput,
  cache: ReferenceKvCache,
  {
    layer,
    rope,
    promptTokens,
  }: { readonly layer: number; readonly rope: RopeParams; readonly promptTokens: readonly number[] },
): void {
  const { headCount, kvHeadCount, headDim } = cache.dims;
  for (let row = 0; row < step.rowCount; row++) {
    for (let token = step.rowOffsets[row]!; token < step.rowOffsets[row + 1]!; token++) {
      const position = step.positions[token]!;
      const heads = rowOf(qkv, token);
      const frequencies = inverseFrequencies(rope, headDim, rotationLength(position, promptTokens[row]!));
      for (let head = 0; head < headCount + kvHeadCount; head++)
        rotate(heads.subarray(head * headDim, (head + 1) * headDim), rope, { frequencies, position });
      const keys = heads.subarray(headCount * headDim, (headCount + kvHeadCount) * headDim);
      const values = heads.subarray((headCount + kvHeadCount) * headDim);
      cache.store(cache.offsetOf(step, row, position, layer), keys, values);
    }
  }
}

function rotate(
  head: Float32Array,
  rope: RopeParams,
  { frequencies, position }: { readonly frequencies: Float64Array; readonly position: number },
): void {
  const half = head.length / 2;
  frequencies.forEach((frequency, pair) => {
    const magnitude = rotationMagnitude(rope, pair);
    const [cos, sin] = [
      magnitude * Math.cos(position * frequency),
      magnitude * Math.sin(position * frequency),
    ];
    const [low, high] = [head[pair]!, head[pair + half]!];
    head[pair] = low * cos - high * sin;
    head[pair + half] = high * cos + low * sin;
  });
}
