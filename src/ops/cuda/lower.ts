/** A plan as the list of what a GPU runs: the one place that decides which ops of a plan become one. Pure. */
import { AloftError } from '../../core/errors.js';
import { canShareNorm } from '../linear/cuda/shared-norms.js';
import { type InferredPlan, inferPlan, type PlanValue } from '../../plan/infer.js';
import type {
  AddRmsNormOp,
  AllReduceOp,
  BufferName,
  LinearOp,
  PagedAttentionOp,
  Plan,
  PlanOp,
  RmsNormOp,
  RopeAppendOp,
  SwigluOp,
} from '../../plan/plan.js';

/** A linear layer without its neighbours. Where its kernel can end with SwiGLU, `gate` is part of it; otherwise `gate` is launched after it. */
export interface LoweredLinear extends LinearOp {
  /** Index of the first of its ops in the plan. */
  readonly index: number;
  /** The SwiGLU that is next in the plan and takes the layer's result. */
  readonly gate: SwigluOp | undefined;
  /** Whether the norm before it has rounded its input, where a method takes that in 8 bits. */
  readonly hasRoundedInput: boolean;
}

/** A norm whose addend is one linear layer's result, and whose result is another's input. Where kernels can, both layers do its work. */
export interface NormBetween {
  readonly norm: AddRmsNormOp;
  readonly before: LoweredLinear;
  readonly after: LoweredLinear;
}

/** A linear layer. */
export interface CudaLinear extends LoweredLinear {
  readonly normBefore: NormBetween | undefined;
  readonly normAfter: NormBetween | undefined;
}

/** A norm. */
type CudaNorm<Op extends RmsNormOp | AddRmsNormOp> = Op & {
  readonly index: number;
  /** The layer that alone takes the result, and whose input is rounded: the norm does so. */
  readonly reader: LoweredLinear | undefined;
  readonly between: NormBetween | undefined;
};

/** Rotation, append to the cache and attention. Decode attention does all of it in one kernel. */
export interface CudaAttention {
  readonly kind: 'attention';
  readonly index: number;
  readonly append: RopeAppendOp;
  readonly attend: PagedAttentionOp;
}

/** A sum over ranks, and the addition and the norm that take it: for few rows, one kernel does all of it. */
interface CudaReduceNorm {
  readonly kind: 'reduceNorm';
  readonly index: number;
  readonly x: AllReduceOp['x'];
  readonly norm: AddRmsNormOp;
}

/** Sampling: behind the last op of the plan. */
interface CudaSampling {
  readonly kind: 'sample';
  readonly index: number;
}

/** Ops that become something else. */
type Special = LinearOp | RopeAppendOp | PagedAttentionOp | RmsNormOp | AddRmsNormOp;
type Indexed<Op> = Op extends PlanOp ? Op & { readonly index: number } : never;

export type CudaOp =
  | Indexed<Exclude<PlanOp, Special>>
  | CudaLinear
  | CudaNorm<RmsNormOp>
  | CudaNorm<AddRmsNormOp>
  | CudaAttention
  | CudaReduceNorm
  | CudaSampling;
export type CudaOpOf<Kind extends CudaOp['kind']> = Extract<CudaOp, { readonly kind: Kind }>;

export interface LoweredPlan {
  readonly plan: Plan;
  readonly inferred: InferredPlan;
  readonly ops: readonly CudaOp[];
}

/** @throws {AloftError} INTERNAL for a plan that is invalid or has what no pass makes */
export function lowerForCuda(plan: Plan): LoweredPlan {
  const inferred = inferPlan(plan);
  const ops: CudaOp[] = [];
  let index = 0;
  while (index < plan.ops.length) {
    const op = lowerOp({ ...plan, inferred }, index);
    ops.push(op);
    index += planOpCount(op);
  }
  return { plan, inferred, ops: [...ops, { kind: 'sample', index }] };
}

/** A plan whose values are known. */
interface PlanAndInferred extends Plan {
  readonly inferred: InferredPlan;
}

/** Rows that a norm rounds are whole boxes, see rms-norm-codes.cu. */
const ROUNDED_COLUMNS = 128;

function lowerOp(plan: PlanAndInferred, index: number): CudaOp {
  const { ops } = plan;
  const op = ops[index]!;
  const next = ops[index + 1];
  switch (op.kind) {
    case 'linear':
      return {
        ...lowerLinear(plan, op, index),
        normBefore: normBetween(plan, index - 1),
        normAfter: normBetween(plan, index + 1),
      };
    case 'rmsNorm':
    case 'addRmsNorm': {
      const reads = next?.kind === 'linear' && roundsFor(plan, index);
      const reader = reads ? lowerLinear(plan, next, index + 1) : undefined;
      return { ...op, index, reader, between: normBetween(plan, index) };
    }
    case 'ropeAppend':
      if (next?.kind !== 'pagedAttention' || next.qkv !== op.qkv || next.layer !== op.layer)
        throw new AloftError('INTERNAL', `Plan op ${index} (ropeAppend) is not followed by its attention.`);
      return { kind: 'attention', index, append: op, attend: next };
    case 'pagedAttention':
      throw new AloftError('INTERNAL', `Plan op ${index} (pagedAttention) does not follow its ropeAppend.`);
    case 'allReduce': {
      const norm = normOfSum(ops, index);
      return norm === undefined ? { ...op, index } : { kind: 'reduceNorm', index, x: op.x, norm };
    }
    default:
      return { ...op, index };
  }
}

function lowerLinear(plan: PlanAndInferred, op: LinearOp, index: number): LoweredLinear {
  const next = plan.ops[index + 1];
  return {
    ...op,
    index,
    gate: next?.kind === 'swiglu' && next.gateUp === op.out ? next : undefined,
    hasRoundedInput: roundsFor(plan, index - 1),
  };
}

/** The norm at `index`, if no other op takes its addend or its result than the linear layers before and after it. */
function normBetween(plan: PlanAndInferred, index: number): NormBetween | undefined {
  const [before, norm, after] = [plan.ops[index - 1], plan.ops[index], plan.ops[index + 1]];
  if (norm?.kind !== 'addRmsNorm' || before?.kind !== 'linear' || after?.kind !== 'linear') return undefined;
  const isBetween = before.out === norm.delta && after.x === norm.out;
  if (!isBetween || !canShareNorm(plan.dims.hidden)) return undefined;
  if (!isLastUse(plan, norm.delta, index) || !isLastUse(plan, norm.out, index + 1)) return undefined;
  return {
    norm,
    before: lowerLinear(plan, before, index - 1),
    after: lowerLinear(plan, after, index + 1),
  };
}

/** Whether no op after the one at `index` takes one of its operands. */
const isLastUse = ({ inferred }: PlanAndInferred, operand: BufferName, index: number): boolean =>
  inferred.operands[index]!.get(operand)!.lastUsedAt === index;

/** The norm that is one op with the sum over ranks at `index`. */
function normOfSum(ops: Plan['ops'], index: number): AddRmsNormOp | undefined {
  const [sum, norm] = [ops[index], ops[index + 1]];
  return sum?.kind === 'allReduce' && norm?.kind === 'addRmsNorm' && norm.delta === sum.x ? norm : undefined;
}

/** Whether the op is a norm by itself whose result only the next one takes, a linear layer that rounds it. */
function roundsFor(plan: PlanAndInferred, index: number): boolean {
  const { ops, dims } = plan;
  const [norm, next] = [ops[index], ops[index + 1]];
  const isNorm = norm?.kind === 'rmsNorm' || norm?.kind === 'addRmsNorm';
  if (!isNorm || next?.kind !== 'linear' || next.inputBits === undefined || next.x !== norm.out) return false;
  const isWhole = dims.hidden % ROUNDED_COLUMNS === 0;
  return isWhole && isLastUse(plan, next.x, index + 1) && normOfSum(ops, index - 1) === undefined;
}

/** Number of plan ops that an op stands for. */
export function planOpCount(op: CudaOp): number {
  if (op.kind === 'linear') return op.gate === undefined ? 1 : 2;
  return op.kind === 'attention' || op.kind === 'reduceNorm' ? 2 : 1;
}

/**
 * Values with the lives that the kernels give them: an op that stands for several may write its results while it still
 * reads its operands, so everything that it defines lives from its first op on.
 */
export function kernelLifetimes({ inferred, ops }: LoweredPlan): ReadonlyMap<PlanValue, PlanValue> {
  const lives = new Map(inferred.values.map((value) => [value, value]));
  for (const op of ops) {
    const covered = inferred.operands.slice(op.index, op.index + planOpCount(op));
    for (const value of covered.flatMap((operands) => [...operands.values()]))
      if (value.definedAt > op.index) lives.set(value, { ...value, definedAt: op.index });
    // The layer before a norm may store its result.
    if (op.kind === 'linear' && op.normAfter !== undefined) {
      const value = inferred.operands[op.index + 1]!.get(op.normAfter.norm.out)!;
      lives.set(value, { ...value, definedAt: op.index });
    }
  }
  return lives;
}
