import { AloftError } from '../core/errors.js';
import { inferPlan, type InferredPlan } from './infer.js';
import { weightsOf } from './operands.js';
import { definitionOf } from './ops/index.js';
import type { WeightRole } from './ops/op-definition.js';
import { type Plan, resultColumns, type WeightName } from './plan.js';

/**
 * Checks that a plan can run on its own: shapes fit, every weight is used for one purpose, every layer appends to its
 * cache before it attends to it, collectives appear only where there are several ranks, and the logits are as promised.
 * @returns the shapes that it had to infer
 * @throws {AloftError} INTERNAL with the first fault
 */
export function validatePlan(plan: Plan): InferredPlan {
  const inferred = inferPlan(plan);
  checkWeights(plan);
  checkLayers(plan);
  if (plan.worldSize === 1 && plan.ops.some((op) => definitionOf(op).isCollective === true))
    fail('has collectives but only one rank');
  const { logits } = inferred;
  if (logits.rows !== 'logits' || logits.dtype !== 'f32' || logits.columns < resultColumns(plan))
    fail(`'${plan.logits}' must be [logits, ${resultColumns(plan)} or more] in f32`);
  return inferred;
}

function fail(why: string): never {
  throw new AloftError('INTERNAL', `Plan ${why}.`);
}

/** The role of each weight of a plan. @throws {AloftError} INTERNAL when a weight has two roles or an unknown name */
export function weightRoles(plan: Plan): ReadonlyMap<WeightName, WeightRole> {
  const roles = new Map<WeightName, WeightRole>();
  for (const op of plan.ops) {
    for (const [name, role] of weightsOf(op)) {
      if ((roles.get(name) ?? role) !== role)
        fail(`uses weight '${name}' both as ${roles.get(name)} and as ${role}`);
      roles.set(name, role);
    }
  }
  return roles;
}

function checkWeights(plan: Plan): void {
  const roles = weightRoles(plan);
  for (const [name, weight] of Object.entries(plan.weights)) {
    const role = roles.get(name);
    if (role === undefined) fail(`has weight '${name}', which no op uses`);
    if (role === 'vector' && weight.format.type !== 'dense') fail(`quantises the vector '${name}'`);
  }
}

function checkLayers(plan: Plan): void {
  const { layerCount, headCount, kvHeadCount, headDim } = plan.dims;
  if (headCount % kvHeadCount !== 0) fail(`has ${headCount} heads for ${kvHeadCount} key/value heads`);
  if (headDim % 2 !== 0) fail(`has an odd head dimension of ${headDim}`);
  const appended = new Set<number>();
  const attended = new Set<number>();
  for (const op of plan.ops) {
    const use = definitionOf(op).cache?.(op);
    if (use === undefined) continue;
    const { layer, access } = use;
    if (layer < 0 || layer >= layerCount) fail(`names layer ${layer} of ${layerCount}`);
    const seen = access === 'append' ? appended : attended;
    if (seen.has(layer)) fail(`runs ${op.kind} twice in layer ${layer}`);
    if (seen === attended && !appended.has(layer)) fail(`attends in layer ${layer} before it appends to it`);
    seen.add(layer);
  }
  if (appended.size !== layerCount || attended.size !== layerCount)
    fail(`has attention in ${attended.size} of ${layerCount} layers`);
}
