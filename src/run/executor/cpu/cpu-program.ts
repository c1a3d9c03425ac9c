/** A plan bound to the CPU's kernels, the weights' addresses and one workspace: a list of calls that a step runs in order. */
import { invariant } from '../../../core/errors.js';
import type { NativeLibrary } from '../../../ffi/library.js';
import { bindAdd } from '../../../ops/add/cpu.js';
import type { StepView } from '../../../ops/cpu/step-view.js';
import { bindEmbedding, TABLE_CODE } from '../../../ops/embedding/cpu.js';
import { bindGather } from '../../../ops/gather/cpu.js';
import { bindLinear } from '../../../ops/linear/cpu/cpu.js';
import { bindPagedAttention } from '../../../ops/paged-attention/cpu.js';
import { bindRmsNorm } from '../../../ops/rms-norm/cpu.js';
import { bindRopeAppend, type RowRotations } from '../../../ops/rope/cpu.js';
import { bindSwiglu } from '../../../ops/swiglu/cpu.js';
import type { BufferLayout } from '../../../plan/buffers.js';
import type { InferredPlan, PlanValue } from '../../../plan/infer.js';
import type {
  AddOp,
  AddRmsNormOp,
  AllGatherOp,
  AllReduceOp,
  BufferName,
  EmbeddingOp,
  GatherOp,
  LinearOp,
  PagedAttentionOp,
  Plan,
  PlanOp,
  RmsNormOp,
  RopeAppendOp,
  RopeParams,
  SwigluOp,
} from '../../../plan/plan.js';
import type { Collectives } from '../../../device/collectives.js';
import type { CpuKvCache } from './cpu-kv-cache.js';
import { elementOf, isQuantised } from '../../../plan/weight-format.js';
import { packedAddresses } from '../../../ops/linear/cpu/packed-linear.js';

/** What differs from step to step. */
export interface StepCounts {
  readonly tokenCount: number;
  readonly logitCount: number;
  /** Addresses of i32 [tokens] ids without -1, and of i32 [logits]. */
  readonly tokenIds: number;
  readonly logitTokens: number;
}

/** One kernel call. */
export type Instruction = (step: StepCounts) => void;

export interface ProgramContext {
  readonly plan: Plan;
  readonly inferred: InferredPlan;
  readonly library: NativeLibrary;
  readonly pool: number;
  readonly tensorAddress: (name: string) => number;
  readonly workspace: { readonly address: number; readonly layout: BufferLayout };
  readonly cache: CpuKvCache;
  readonly stepView: StepView;
  /** The rotations of a step's rows, shared by all layers of equal parameters. */
  readonly rotations: (rope: RopeParams) => RowRotations;
  readonly collectives: Collectives | undefined;
}

/** One instruction per op of the plan, in order. */
export function compileProgram(context: ProgramContext): readonly Instruction[] {
  const kernels = bindKernels(context.library, context.pool);
  return context.plan.ops.map((op, index) => compileOp(new OpScope(context, kernels, index), op));
}

type Kernels = ReturnType<typeof bindKernels>;

function bindKernels(library: NativeLibrary, pool: number) {
  return {
    add: bindAdd(library),
    embedding: bindEmbedding(library),
    gather: bindGather(library),
    linear: bindLinear(library, pool),
    pagedAttention: bindPagedAttention(library),
    rmsNorm: bindRmsNorm(library),
    ropeAppend: bindRopeAppend(library),
    swiglu: bindSwiglu(library),
  };
}

/** An op with what compiling it needs: addresses, shapes and weights by name. */
class OpScope {
  readonly context: ProgramContext;
  readonly kernels: Kernels;
  readonly #operands: ReadonlyMap<BufferName, PlanValue>;

  constructor(context: ProgramContext, kernels: Kernels, index: number) {
    this.context = context;
    this.kernels = kernels;
    this.#operands = context.inferred.operands[index]!;
  }

  /** Address of a buffer. */
  at(name: BufferName): number {
    const { address, layout } = this.context.workspace;
    return address + layout.offsets.get(this.#operands.get(name)!)!;
  }

  columns(name: BufferName): number {
    return this.#operands.get(name)!.columns;
  }

  /** How many rows a buffer has in a step. */
  rows(name: BufferName): (step: StepCounts) => number {
    return this.#operands.get(name)!.rows === 'tokens'
      ? (step) => step.tokenCount
      : (step) => step.logitCount;
  }
}

function compileOp(scope: OpScope, op: PlanOp): Instruction {
  switch (op.kind) {
    case 'embedding':
      return compileEmbedding(scope, op);
    case 'rmsNorm':
    case 'addRmsNorm':
      return compileNorm(scope, op);
    case 'linear':
      return compileLinear(scope, op);
    case 'ropeAppend':
    case 'pagedAttention':
      return compileAttention(scope, op);
    case 'add':
    case 'swiglu':
    case 'gather':
      return compileElementwise(scope, op);
    case 'allReduce':
    case 'allGather':
      return compileCollective(scope, op);
  }
}

function compileEmbedding(scope: OpScope, op: EmbeddingOp): Instruction {
  const { plan, pool, tensorAddress } = scope.context;
  const { embedding } = scope.kernels;
  const { format } = plan.weights[op.table]!;
  const [table, dtype] = [tensorAddress(op.table), TABLE_CODE[elementOf(format)]];
  const scales = isQuantised(format) ? tensorAddress(`${op.table}.scale`) : 0;
  const [out, columns] = [scope.at(op.out), scope.columns(op.out)];
  return ({ tokenIds, tokenCount }) =>
    embedding(pool, table, scales, dtype, tokenIds, out, tokenCount, columns);
}

function compileNorm(scope: OpScope, op: RmsNormOp | AddRmsNormOp): Instruction {
  const { pool, tensorAddress } = scope.context;
  const { rmsNorm } = scope.kernels;
  const [name, delta] = op.kind === 'rmsNorm' ? [op.x, 0] : [op.residual, scope.at(op.delta)];
  const [x, out, weight] = [scope.at(name), scope.at(op.out), tensorAddress(op.weight)];
  const [rows, columns] = [scope.rows(name), scope.columns(name)];
  return (step) => rmsNorm(pool, x, delta, weight, out, rows(step), columns, op.epsilon);
}

function compileLinear(scope: OpScope, op: LinearOp): Instruction {
  const { plan, tensorAddress } = scope.context;
  const { shape, format } = plan.weights[op.weight]!;
  const element = elementOf(format);
  const linear = scope.kernels.linear({
    ...packedAddresses(op.weight, element, tensorAddress),
    element,
    outCount: shape[0]!,
    inCount: shape[1]!,
    bias: op.bias === null ? 0 : tensorAddress(op.bias),
  });
  const [x, out, rows] = [scope.at(op.x), scope.at(op.out), scope.rows(op.x)];
  return (step) => linear(rows(step), x, out);
}

function compileAttention(scope: OpScope, op: RopeAppendOp | PagedAttentionOp): Instruction {
  const { plan, pool, cache, stepView } = scope.context;
  const { ropeAppend, pagedAttention } = scope.kernels;
  const [qkv, layer, layout] = [scope.at(op.qkv), cache.layerAddress(op.layer), cache.layout.address];
  const { headCount } = plan.dims;
  if (op.kind === 'ropeAppend') {
    const rotations = scope.context.rotations(op.rope).address;
    return () => ropeAppend(pool, stepView.address, layout, layer, qkv, headCount, rotations);
  }
  const out = scope.at(op.out);
  return () => pagedAttention(pool, stepView.address, layout, layer, qkv, out, headCount);
}

function compileElementwise(scope: OpScope, op: AddOp | SwigluOp | GatherOp): Instruction {
  const { pool } = scope.context;
  const { add, swiglu, gather } = scope.kernels;
  if (op.kind === 'add') {
    const [residual, delta] = [scope.at(op.residual), scope.at(op.delta)];
    const [rows, columns] = [scope.rows(op.residual), scope.columns(op.residual)];
    return (step) => add(pool, residual, delta, rows(step) * columns);
  }
  const [out, columns] = [scope.at(op.out), scope.columns(op.out)];
  if (op.kind === 'swiglu') {
    const [gateUp, rows] = [scope.at(op.gateUp), scope.rows(op.gateUp)];
    return (step) => swiglu(pool, gateUp, out, rows(step), columns);
  }
  const x = scope.at(op.x);
  return ({ logitTokens, logitCount }) => gather(pool, x, logitTokens, out, logitCount, columns);
}

function compileCollective(scope: OpScope, op: AllReduceOp | AllGatherOp): Instruction {
  const { collectives } = scope.context;
  invariant(collectives !== undefined, () => 'a plan of several ranks runs without collectives');
  const [x, rows, columnCount] = [scope.at(op.x), scope.rows(op.x), scope.columns(op.x)];
  if (op.kind === 'allReduce') return (step) => collectives.allReduce(x, rows(step) * columnCount);
  const [out, outColumnCount] = [scope.at(op.out), op.columns];
  return (step) => collectives.allGather({ x, out, rowCount: rows(step), columnCount, outColumnCount });
}
