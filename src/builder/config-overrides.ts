import type { RopeScaling } from '../plan/plan.js';
import type { BuildOptions, RopeScalingOverride } from './build-options.js';
import type { ModelConfig } from './checkpoint/model-config.js';

/** `--rotary_base` and `--rotary_scaling` win over config.json. */
export function withOverrides(config: ModelConfig, { ropeTheta, ropeScaling }: BuildOptions): ModelConfig {
  const { theta, scaling } = config.rope;
  return {
    ...config,
    rope: {
      theta: ropeTheta ?? theta,
      scaling: ropeScaling === null ? scaling : completed(ropeScaling, config),
    },
  };
}

function completed({ type, factor }: RopeScalingOverride, { maxPositions }: ModelConfig): RopeScaling {
  return type === 'linear' ? { type, factor } : { type, factor, originalMaxPositions: maxPositions };
}
