/** Plans that stop after some of their layers. */
import { weightsOf } from './operands.js';
import type { Plan, PlanOp } from './plan.js';

/** A plan's ops by the layers that they belong to. */
export interface PlanLayers {
  /** Number of ops before each layer's end. */
  readonly ends: readonly number[];
  /** Ops after the last layer: the final norm, the head, and what is between. */
  readonly tail: readonly PlanOp[];
}

/**
 * Ops without weights stand behind the layer before them. Where a pass has joined the last of these with the first op of the
 * next layer, the layer ends before both, and the tail begins with it.
 */
export function planLayers({ ops, dims: { layerCount } }: Plan): PlanLayers {
  const layers = ops.map(layerOf);
  const firsts = Array.from({ length: layerCount }, (_, layer) => layers.indexOf(layer));
  const lasts = Array.from({ length: layerCount }, (_, layer) => layers.lastIndexOf(layer));
  const lastEnd = lasts[layerCount - 1]! + 1;
  const tailStart =
    layerCount > 1
      ? lastEnd + firsts[layerCount - 1]! - lasts[layerCount - 2]! - 1
      : ops.findIndex(({ kind }) => kind === 'gather');
  return { ends: [...firsts.slice(1), tailStart], tail: ops.slice(tailStart) };
}

/** The plan of the first layers: their result goes through final norm and head, so that a hidden state is seen as logits. */
export function firstLayers(plan: Plan, layerCount: number): Plan {
  const { ends, tail } = planLayers(plan);
  const ops = [...plan.ops.slice(0, ends[layerCount - 1]), ...tail];
  const used = new Set(ops.flatMap((op) => weightsOf(op).map(([name]) => name)));
  const weights = Object.entries(plan.weights).filter(([name]) => used.has(name));
  return { ...plan, ops, dims: { ...plan.dims, layerCount }, weights: Object.fromEntries(weights) };
}

/** The layer whose weights an op reads. */
function layerOf(op: PlanOp): number | undefined {
  const numbers = weightsOf(op).map(([name]) => /^layers\.(\d+)\./.exec(name)?.[1]);
  const number = numbers.find((one) => one !== undefined);
  return number === undefined ? undefined : Number(number);
}
