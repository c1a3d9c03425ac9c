import { AloftError } from '../core/errors.js';
import { outputOf, readsOf } from './operands.js';
import { definitionOf } from './ops/index.js';
import type { InferContext, ValueShape } from './ops/op-definition.js';
import type { BufferName, Plan } from './plan.js';

/** Value that one op wrote into a buffer. A buffer that is written again by a later op holds another value from there on. */
export interface PlanValue extends ValueShape {
  readonly buffer: BufferName;
  /** Index of the op that defines it, and of the last op that reads it (the end of the plan for the logits). */
  readonly definedAt: number;
  readonly lastUsedAt: number;
}

/** A plan with the shape of everything in it. */
export interface InferredPlan {
  /** In order of definition. */
  readonly values: readonly PlanValue[];
  /** Per op: the values behind the buffer names that it mentions. */
  readonly operands: readonly ReadonlyMap<BufferName, PlanValue>[];
  readonly logits: PlanValue;
}

type GrowingValue = { -readonly [Key in keyof PlanValue]: PlanValue[Key] };

/**
 * Infers the shape and the lifetime of every value of a plan.
 * @throws {AloftError} INTERNAL naming the op: a buffer read before it is defined, an unknown weight, shapes that do not fit
 */
export function inferPlan(plan: Plan): InferredPlan {
  const current = new Map<BufferName, GrowingValue>();
  const values: GrowingValue[] = [];
  const operands = plan.ops.map((op, index) => {
    const mentioned = new Map<BufferName, GrowingValue>();
    const context = inferContext(plan, index, mentioned);
    const { fail } = context;
    for (const name of readsOf(op)) {
      const value = current.get(name) ?? fail(`buffer '${name}' is read before it is defined`);
      value.lastUsedAt = index;
      mentioned.set(name, value);
    }
    const shape = definitionOf(op).infer(op, context);
    const out = outputOf(op);
    if (out !== undefined && shape !== undefined) {
      if (mentioned.has(out)) fail(`buffer '${out}' is both input and output`);
      const value = { buffer: out, ...shape, definedAt: index, lastUsedAt: index };
      values.push(value);
      current.set(out, value);
      mentioned.set(out, value);
    }
    return mentioned;
  });
  const logits = current.get(plan.logits);
  if (logits === undefined) throw new AloftError('INTERNAL', `Plan: no op defines '${plan.logits}'.`);
  logits.lastUsedAt = plan.ops.length;
  return { values, operands, logits };
}

/** The plan as the definition of the op at `index` sees it. `mentioned` holds the values that the op reads. */
function inferContext(
  plan: Plan,
  index: number,
  mentioned: ReadonlyMap<BufferName, PlanValue>,
): InferContext {
  const { dims, worldSize, weights } = plan;
  const fail = (why: string): never => {
    throw new AloftError('INTERNAL', `Plan op ${index} (${plan.ops[index]!.kind}): ${why}.`);
  };
  const weight: InferContext['weight'] = (name, expected) => {
    const shape = weights[name]?.shape ?? fail(`weight '${name}' is not in the plan`);
    const fits =
      shape.length === expected.length && expected.every((dim, axis) => dim === null || dim === shape[axis]);
    if (!fits) {
      const wanted = expected.map((dim) => dim ?? 'any').join(', ');
      fail(`weight '${name}' has shape [${shape.join(', ')}], [${wanted}] is needed`);
    }
    return shape;
  };
  return { dims, worldSize, buffer: (name) => mentioned.get(name)!, weight, fail };
}
