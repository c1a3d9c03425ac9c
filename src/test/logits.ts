/** Logits of an executor at every position of a sequence, and how far they are from a reference. */
import { buildStep } from '../core/build-step.js';
import { GREEDY } from '../core/sampling.js';
import type { Executor } from '../run/executor/executor.js';

const SLOT = 0;

/**
 * Runs one sequence in chunks and returns [tokens, vocabulary].
 * @param chunkTokens at most what one step of the executor takes, in tokens and in logits
 */
export async function allLogits(
  executor: Executor,
  tokenIds: readonly number[],
  chunkTokens: number = Math.min(executor.limits.maxStepTokens, executor.limits.maxLogits),
): Promise<Float32Array> {
  const { vocabulary, blockTokens } = executor.limits;
  const blocks = Array.from({ length: Math.ceil(tokenIds.length / blockTokens) }, (_, i) => i);
  const logits = new Float32Array(tokenIds.length * vocabulary);
  executor.attachSlot({
    slot: SLOT,
    sampling: GREEDY,
    isBeam: false,
    endIds: [],
    promptTokenIds: Int32Array.from(tokenIds),
    outputTokenIds: new Int32Array(0),
  });
  for (let start = 0; start < tokenIds.length; start += chunkTokens) {
    const chunk = tokenIds.slice(start, start + chunkTokens);
    // A target is scored, so that nothing is sampled.
    const wanted = chunk.map((target, index) => ({ index, target }));
    const row = { slot: SLOT, tokenIds: chunk, firstPosition: start, blocks, wanted };
    executor.submit(buildStep([row], { returnLogits: true }));
    const output = await executor.collect();
    logits.set(output.logits!, start * vocabulary);
  }
  executor.detachSlot(SLOT);
  return logits;
}

/** Index of the largest value of each row of [rows, columns]. */
export function argmaxOfRows(values: Float32Array, columns: number): number[] {
  return Array.from({ length: values.length / columns }, (_, row) => {
    const begin = row * columns;
    let best = begin;
    for (let i = begin + 1; i < begin + columns; i++) if (values[i]! > values[best]!) best = i;
    return best - begin;
  });
}

/** Best minus second-best value of each row of [rows, columns]. */
export function marginsOfRows(values: Float32Array, columns: number): number[] {
  return Array.from({ length: values.length / columns }, (_, row) => {
    let [best, second] = [-Infinity, -Infinity];
    for (const value of values.subarray(row * columns, (row + 1) * columns)) {
      if (value > best) [best, second] = [value, best];
      else if (value > second) second = value;
    }
    return best - second;
  });
}

/** Largest |actual - expected| as a share of the range of `expected`; Infinity when a value is not a number. */
export function shareOfRange(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) return Infinity;
  let [low, high, largest] = [Infinity, -Infinity, 0];
  for (const [i, value] of expected.entries()) {
    low = Math.min(low, value);
    high = Math.max(high, value);
    const difference = Math.abs(actual[i]! - value);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
  }
  return largest / (high - low);
}

export function haveSameBits(a: Float32Array, b: Float32Array): boolean {
  const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) =>
    Buffer.from(buffer, byteOffset, byteLength);
  return bytesOf(a).equals(bytesOf(b));
}
