/** Sizes that every device's executor follows from: the shape and the limits of an engine. */
import { AloftError } from '../../../core/errors.js';
import type { EngineManifest } from '../../../engine/manifest.js';
import type { EngineRank } from '../../../engine/rank-file-reader.js';
import { uniformPromptTokens } from '../../../ops/rope/rotation.js';
import type { Plan } from '../../../plan/plan.js';
import type { ExecutorLimits } from '../executor.js';

/** An engine, or one that could be built. */
export interface EngineShape {
  readonly plan: Plan;
  readonly weightBytes: number;
  readonly limits: Pick<
    EngineManifest['builder_config'],
    'max_batch_size' | 'max_input_len' | 'max_output_len' | 'max_num_tokens'
  > &
    Pick<EngineManifest['plugin_config'], 'tokens_per_block'>;
}

/** The shape of an engine that lies on disk. */
export function shapeOf({ plan, weightBytes, manifest }: EngineRank): EngineShape {
  const { tokens_per_block } = manifest.plugin_config;
  return { plan, weightBytes, limits: { ...manifest.builder_config, tokens_per_block } };
}

/** Every sequence needs room for one token of a step. @throws {AloftError} CONFIG_INVALID */
export function checkedStepTokens(wanted: number, maxRows: number): number {
  if (wanted >= maxRows) return wanted;
  throw new AloftError(
    'CONFIG_INVALID',
    `--max_num_tokens is ${wanted}, but each of ${maxRows} sequences (max_batch_size) needs one token of a step; give at least ${maxRows}.`,
  );
}

/** Logits that one step can return beyond one a row: prompt log probabilities come in pieces of this many. */
const MIN_LOGITS = 64;

/** Tokens whose results one step can return. Hidden states are wanted of every token, and are narrow. */
export function maxResults(
  { results }: Plan,
  { maxRows, maxStepTokens }: Pick<ExecutorLimits, 'maxRows' | 'maxStepTokens'>,
): number {
  return results === 'hiddenStates' ? maxStepTokens : Math.max(maxRows, MIN_LOGITS);
}

/** Sizes of tokens and of results. */
export function resultLimits({ dims, results }: Plan): Pick<ExecutorLimits, 'vocabulary' | 'hiddenColumns'> {
  const { vocabulary, hidden } = dims;
  return results === 'hiddenStates' ? { vocabulary, hiddenColumns: hidden } : { vocabulary };
}

/** The limits of an executor that runs `plan`. */
export function limitsOfPlan(
  plan: Plan,
  limits: Omit<ExecutorLimits, 'vocabulary' | 'hiddenColumns' | 'uniformPromptTokens'>,
): ExecutorLimits {
  const uniform = uniformPromptTokens(plan);
  return {
    ...limits,
    ...resultLimits(plan),
    ...(uniform === undefined ? {} : { uniformPromptTokens: uniform }),
  };
}
