import type { WeightName } from '../plan/plan.js';

/** Parts of a model that reports sum up. */
export const MODEL_PARTS = ['embedding', 'attention', 'mlp', 'norms', 'lm_head'] as const;
export type ModelPart = (typeof MODEL_PARTS)[number];

/** @param name a weight, or a packed tensor of it such as `lm_head.weight.scale` */
export function partOf(name: WeightName): ModelPart {
  if (name.startsWith('vocab_embedding.')) return 'embedding';
  if (/^(?:lm|hidden)_head\./.test(name)) return 'lm_head';
  if (name.includes('.attention.')) return 'attention';
  return name.includes('.mlp.') ? 'mlp' : 'norms';
}
