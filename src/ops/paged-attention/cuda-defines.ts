/** Macros that specialise the CUDA attention kernels for a plan. Pure. */
import { AloftError } from '../../core/errors.js';
import { isQuantisedKv } from '../../plan/kv-dtype.js';
import type { Plan } from '../../plan/plan.js';

/**
 * Macros that choose how the kernels of append and attention store the cache; none for a cache of activations.
 * @throws {AloftError} UNSUPPORTED for a cache that the kernels lack
 */
export function cacheDefines(
  { kvDtype, activationDtype }: Pick<Plan, 'kvDtype' | 'activationDtype'>,
  blockTokens: number,
): Readonly<Record<string, number>> {
  if (isQuantisedKv(kvDtype)) {
    if (blockTokens % 2 === 0) return kvDtype === 'i8' ? { KV_INT8: 1 } : { KV_FP8: 1 };
    throw new AloftError(
      'UNSUPPORTED',
      `The CUDA device has no KV cache of 8 bits with blocks of ${blockTokens} tokens; give --tokens_per_block an even number.`,
    );
  }
  if (kvDtype === activationDtype) return {};
  throw new AloftError(
    'UNSUPPORTED',
    `The CUDA device cannot keep a KV cache of ${kvDtype} beside activations of ${activationDtype}; build with --kv_cache_dtype auto, int8 or fp8.`,
  );
}

/** Macros by which the kernels of attention heed windows and cap scores; none for a plan without either. */
export function scoreDefines({ ops }: Pick<Plan, 'ops'>): Readonly<Record<string, number>> {
  const { windows, softCaps } = scoresOf(ops);
  return {
    ...(windows.length > 0 && { HAS_WINDOW: 1 }),
    ...(softCaps.length > 0 && { SOFT_CAP: softCaps[0]! }),
  };
}

/** Windows and soft caps of a plan's attention. */
export function scoresOf(ops: Plan['ops']): {
  readonly windows: readonly number[];
  readonly softCaps: readonly number[];
} {
  const attention = ops.filter((op) => op.kind === 'pagedAttention');
  return {
    windows: attention.flatMap(({ window }) => window ?? []),
    softCaps: attention.flatMap(({ softCap }) => softCap ?? []),
  };
}
