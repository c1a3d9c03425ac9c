import type { InferredPlan, PlanValue } from './infer.js';

/** Where each value lies in one workspace. */
export interface BufferLayout {
  /** Byte offset of each value, a multiple of {@link BUFFER_ALIGNMENT_BYTES}. */
  readonly offsets: ReadonlyMap<PlanValue, number>;
  readonly totalBytes: number;
}

/** A cache line and the widest vector register. */
const BUFFER_ALIGNMENT_BYTES = 64;

export interface BufferSizes {
  readonly maxTokens: number;
  readonly maxLogits: number;
  /** Bytes of an element of dtype 'activation' on the device. */
  readonly activationBytes: number;
}

/** Bytes of a value at the largest step. */
export function valueBytes(value: PlanValue, sizes: BufferSizes): number {
  const rows = value.rows === 'tokens' ? sizes.maxTokens : sizes.maxLogits;
  return rows * value.columns * (value.dtype === 'f32' ? 4 : sizes.activationBytes);
}

/**
 * Lays values out so that two values share bytes only when their lifetimes do not meet. Greedy: the largest first, each at
 * the lowest offset that is free for its whole life. A value is alive from the op that defines it to the last that reads it,
 * both included, so an op never overwrites its own input.
 */
export function planBuffers(inferred: InferredPlan, sizes: BufferSizes): BufferLayout {
  const align = (bytes: number): number => Math.ceil(bytes / BUFFER_ALIGNMENT_BYTES) * BUFFER_ALIGNMENT_BYTES;
  const bySize = inferred.values
    .map((value) => ({ value, bytes: align(valueBytes(value, sizes)) }))
    .toSorted((a, b) => b.bytes - a.bytes || a.value.definedAt - b.value.definedAt);

  const placed: { value: PlanValue; start: number; end: number }[] = [];
  let totalBytes = 0;
  for (const { value, bytes } of bySize) {
    const neighbours = placed
      .filter((other) => overlapsInTime(other.value, value))
      .toSorted((a, b) => a.start - b.start);
    let start = 0;
    for (const neighbour of neighbours) {
      if (start + bytes <= neighbour.start) break;
      start = Math.max(start, neighbour.end);
    }
    placed.push({ value, start, end: start + bytes });
    totalBytes = Math.max(totalBytes, start + bytes);
  }
  return { offsets: new Map(placed.map(({ value, start }) => [value, start])), totalBytes };
}

function overlapsInTime(a: PlanValue, b: PlanValue): boolean {
  return a.definedAt <= b.lastUsedAt && b.definedAt <= a.lastUsedAt;
}
