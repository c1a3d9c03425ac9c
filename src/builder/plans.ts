/** From a model's configuration to the plans that a build writes: everything about an engine but its weights. */
import { PRECISION_DTYPE } from '../core/dtype.js';
import type { Plan, RopeScaling } from '../plan/plan.js';
import { validatePlan } from '../plan/validate.js';
import type { BuildOptions, RopeScalingOverride } from './build-options.js';
import type { ModelConfig } from './checkpoint/model-config.js';
import type { ModelFile } from './models/model-file.js';
import { modelFileFor } from './models/registry.js';
import { fuse } from './passes/fuse.js';
import { chooseKvDtype } from './passes/choose-kv-dtype.js';
import { hiddenStates } from './passes/hidden-states.js';
import { type Quantisation, quantise } from './passes/quantise.js';
import { shard } from './passes/shard.js';
import { chosenQuantisation } from './quantisation-choice.js';

export interface BuildPlans {
  readonly model: ModelFile;
  /** With what the options override. */
  readonly config: ModelConfig;
  /** Formats of quantised weights; null for none. */
  readonly quantisation: Quantisation | null;
  /** The model as its file defines it for the task, before any pass. */
  readonly definition: Plan;
  /** The same with every weight that a published checkpoint has. */
  readonly published: Plan;
  /** One per rank, after all passes. */
  readonly ranks: readonly Plan[];
}

/** @throws {AloftError} ARCHITECTURE_UNKNOWN, UNSUPPORTED, SHARDING_IMPOSSIBLE */
export function definePlans(given: ModelConfig, options: BuildOptions): BuildPlans {
  const config = withoutIdleWindows(withOverrides(given, options), options);
  const model = modelFileFor(config.architecture, config.path);
  const generating = model.define(config, PRECISION_DTYPE[options.precision]);
  const definition =
    options.embedding === null ? generating : { ...generating, plan: hiddenStates(generating.plan) };
  const quantisation = chosenQuantisation(options.quantisation, config);
  const ranks = Array.from({ length: options.worldSize }, (_, rank) =>
    chooseKvDtype(fuse(quantise(shard(definition, rank, options.worldSize), quantisation)), options.kvCache),
  );
  for (const plan of ranks) validatePlan(plan);
  return {
    model,
    config,
    quantisation,
    definition: definition.plan,
    published: generating.plan,
    ranks,
  };
}

/** Windows that no sequence of the engine fills hide nothing: their layers are those without one. */
function withoutIdleWindows(config: ModelConfig, { limits }: BuildOptions): ModelConfig {
  const { windows, ...rest } = config;
  if (windows === undefined || rest.windowRope !== undefined) return config;
  const longest = limits.maxInputTokens + limits.maxOutputTokens;
  const needed = windows.map((window) => (window !== null && window < longest ? window : null));
  return needed.some((window) => window !== null) ? { ...rest, windows: needed } : rest;
}

/** `--rotary_base` and `--rotary_scaling` win over config.json. */
function withOverrides(config: ModelConfig, { ropeTheta, ropeScaling }: BuildOptions): ModelConfig {
  const { theta, scaling } = config.rope;
  return {
    ...config,
    rope: {
      ...config.rope,
      theta: ropeTheta ?? theta,
      scaling: ropeScaling === null ? scaling : completed(ropeScaling, config),
    },
  };
}

function completed({ type, factor }: RopeScalingOverride, { maxPositions }: ModelConfig): RopeScaling {
  return type === 'linear' ? { type, factor } : { type, factor, originalMaxPositions: maxPositions };
}
