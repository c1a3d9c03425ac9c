import { AloftError } from '../core/errors.js';
import { outputOf, readsOf } from './operands.js';
import type { BufferName, Plan, PlanOp, SymbolicDim, WeightName } from './plan.js';

/** What one op wrote into a buffer. A buffer that is written again by a later op holds another value from there on. */
export interface PlanValue {
  readonly buffer: BufferName;
  /** Shape [rows, columns]. */
  readonly rows: SymbolicDim;
  readonly columns: number;
  /** 'activation' is the plan's activationDtype on a 16-bit device and f32 on a CPU. */
  readonly dtype: 'activation' | 'f32';
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

type Shape = Pick<PlanValue, 'rows' | 'columns' | 'dtype'>;
type GrowingValue = { -readonly [Key in keyof PlanValue]: PlanValue[Key] };

/**
 * Infers the shape and the lifetime of every value of a plan.
 * @throws {AloftError} INTERNAL naming the op: a buffer read before it is defined, an unknown weight, shapes that do not fit
 */
export function inferPlan(plan: Plan): InferredPlan {
  const current = new Map<BufferName, GrowingValue>();
  const values: GrowingValue[] = [];
  const operands = plan.ops.map((op, index) => {
    const fail = (why: string): never => {
      throw new AloftError('INTERNAL', `Plan op ${index} (${op.kind}): ${why}.`);
    };
    const mentioned = new Map<BufferName, GrowingValue>();
    for (const name of readsOf(op)) {
      const value = current.get(name) ?? fail(`buffer '${name}' is read before it is defined`);
      value.lastUsedAt = index;
      mentioned.set(name, value);
    }
    const shape = shapeOf({ plan, op, mentioned, fail });
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

interface OpContext {
  readonly plan: Plan;
  readonly op: PlanOp;
  readonly mentioned: ReadonlyMap<BufferName, PlanValue>;
  readonly fail: (why: string) => never;
}

/** Checks the operands of one op and returns the shape of what it defines, if it defines something. */
function shapeOf(context: OpContext): Shape | undefined {
  const { plan, op, mentioned, fail } = context;
  const { headCount, kvHeadCount, headDim } = plan.dims;
  const input = (name: BufferName): PlanValue => mentioned.get(name)!;
  const expectColumns = (value: PlanValue, columns: number): void => {
    if (value.columns !== columns)
      fail(`buffer '${value.buffer}' has ${value.columns} columns, ${columns} are needed`);
  };
  switch (op.kind) {
    case 'embedding': {
      const [, hidden] = weightShape(context, op.table, [null, null]);
      return { rows: 'tokens', columns: hidden!, dtype: 'activation' };
    }
    case 'rmsNorm': {
      const x = input(op.x);
      weightShape(context, op.weight, [x.columns]);
      return { rows: x.rows, columns: x.columns, dtype: 'activation' };
    }
    case 'addRmsNorm':
    case 'add': {
      const residual = input(op.residual);
      const delta = input(op.delta);
      expectColumns(delta, residual.columns);
      if (delta.rows !== residual.rows) fail(`'${op.residual}' and '${op.delta}' differ in rows`);
      if (op.kind === 'add') return undefined;
      weightShape(context, op.weight, [residual.columns]);
      return { rows: residual.rows, columns: residual.columns, dtype: 'activation' };
    }
    case 'linear': {
      const x = input(op.x);
      const [outFeatures] = weightShape(context, op.weight, [null, x.columns]);
      if (op.bias !== null) weightShape(context, op.bias, [outFeatures!]);
      return { rows: x.rows, columns: outFeatures!, dtype: op.outDtype };
    }
    case 'ropeAppend':
    case 'pagedAttention': {
      const qkv = input(op.qkv);
      expectColumns(qkv, (headCount + 2 * kvHeadCount) * headDim);
      if (qkv.rows !== 'tokens') fail(`buffer '${op.qkv}' must have one row per token`);
      return op.kind === 'ropeAppend'
        ? undefined
        : { rows: 'tokens', columns: headCount * headDim, dtype: 'activation' };
    }
    case 'swiglu': {
      const gateUp = input(op.gateUp);
      if (gateUp.columns % 2 !== 0) fail(`buffer '${op.gateUp}' has an odd number of columns`);
      return { rows: gateUp.rows, columns: gateUp.columns / 2, dtype: 'activation' };
    }
    case 'gather': {
      const x = input(op.x);
      if (x.rows !== 'tokens') fail(`buffer '${op.x}' must have one row per token`);
      return { rows: 'logits', columns: x.columns, dtype: x.dtype };
    }
    case 'allReduce':
      return undefined;
    case 'allGather': {
      const x = input(op.x);
      if (x.columns * plan.worldSize < op.columns)
        fail(`${plan.worldSize} ranks of ${x.columns} columns are fewer than ${op.columns}`);
      return { rows: x.rows, columns: op.columns, dtype: x.dtype };
    }
  }
}

/** The shape of a weight after a check against `expected`, where null stands for any size. */
function weightShape(
  { plan, fail }: OpContext,
  name: WeightName,
  expected: readonly (number | null)[],
): readonly number[] {
  const shape = plan.weights[name]?.shape ?? fail(`weight '${name}' is not in the plan`);
  const fits =
    shape.length === expected.length && expected.every((dim, axis) => dim === null || dim === shape[axis]);
  if (!fits) {
    const wanted = expected.map((dim) => dim ?? 'any').join(', ');
    fail(`weight '${name}' has shape [${shape.join(', ')}], [${wanted}] is needed`);
  }
  return shape;
}
