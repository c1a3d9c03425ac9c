/** A plan bound to the CPU's kernels, the weights' addresses and one workspace: a list of calls that a step runs in order. */
import { invariant } from '../../core/errors.js';
import type { NativeLibrary } from '../../ffi/library.js';
import { bindAdd } from '../../ops/add/cpu.js';
import type { StepView } from '../../ops/cpu/step-view.js';
import { bindEmbedding, TABLE_DTYPES } from '../../ops/embedding/cpu.js';
import { bindGather } from '../../ops/gather/cpu.js';
import { bindLinear } from '../../ops/linear/cpu.js';
import { bindPagedAttention } from '../../ops/paged-attention/cpu.js';
import { bindRmsNorm } from '../../ops/rms-norm/cpu.js';
import { bindRopeAppend, type RowRotations } from '../../ops/rope/cpu.js';
import { bindSwiglu } from '../../ops/swiglu/cpu.js';
import type { BufferLayout } from '../../plan/buffers.js';
import type { InferredPlan, PlanValue } from '../../plan/infer.js';
import type { BufferName, LinearOp, Plan, PlanOp, RopeParams, WeightFormat } from '../../plan/plan.js';
import type { Collectives } from './collectives.js';
import type { CpuKvCache } from './cpu-kv-cache.js';

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
  return context.plan.ops.map((op, index) => compileOp(context, kernels, { op, index }));
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

function compileOp(
  context: ProgramContext,
  kernels: Kernels,
  { op, index }: { readonly op: PlanOp; readonly index: number },
): Instruction {
  const { plan, pool, cache, stepView, tensorAddress } = context;
  const value = (name: BufferName): PlanValue => context.inferred.operands[index]!.get(name)!;
  const at = (name: BufferName): number =>
    context.workspace.address + context.workspace.layout.offsets.get(value(name))!;
  const rowsOf = (name: BufferName): ((step: StepCounts) => number) =>
    value(name).rows === 'tokens' ? (step) => step.tokenCount : (step) => step.logitCount;

  switch (op.kind) {
    case 'embedding': {
      const { format } = plan.weights[op.table]!;
      const [table, dtype] = [tensorAddress(op.table), TABLE_DTYPES.indexOf(tableDtype(format))];
      const scales = format.type === 'int8' ? tensorAddress(`${op.table}.scale`) : 0;
      const [out, columns] = [at(op.out), value(op.out).columns];
      return ({ tokenIds, tokenCount }) =>
        kernels.embedding(pool, table, scales, dtype, tokenIds, out, tokenCount, columns);
    }
    case 'rmsNorm':
    case 'addRmsNorm': {
      const name = op.kind === 'rmsNorm' ? op.x : op.residual;
      const [x, delta, out] = [at(name), op.kind === 'rmsNorm' ? 0 : at(op.delta), at(op.out)];
      const [weight, columns, rows] = [tensorAddress(op.weight), value(name).columns, rowsOf(name)];
      return (step) => kernels.rmsNorm(pool, x, delta, weight, out, rows(step), columns, op.epsilon);
    }
    case 'add': {
      const [residual, delta, rows] = [at(op.residual), at(op.delta), rowsOf(op.residual)];
      const { columns } = value(op.residual);
      return (step) => kernels.add(pool, residual, delta, rows(step) * columns);
    }
    case 'linear': {
      const linear = kernels.linear(linearWeight(context, op));
      const [x, out, rows] = [at(op.x), at(op.out), rowsOf(op.x)];
      return (step) => linear(rows(step), x, out);
    }
    case 'ropeAppend': {
      const [qkv, layer, layout] = [at(op.qkv), cache.layerAddress(op.layer), cache.layout.address];
      const rotations = context.rotations(op.rope).address;
      const { headCount } = plan.dims;
      return () => kernels.ropeAppend(pool, stepView.address, layout, layer, qkv, headCount, rotations);
    }
    case 'pagedAttention': {
      const [qkv, layer, layout] = [at(op.qkv), cache.layerAddress(op.layer), cache.layout.address];
      const [out, { headCount }] = [at(op.out), plan.dims];
      return () => kernels.pagedAttention(pool, stepView.address, layout, layer, qkv, out, headCount);
    }
    case 'swiglu': {
      const [gateUp, out, rows] = [at(op.gateUp), at(op.out), rowsOf(op.gateUp)];
      const { columns } = value(op.out);
      return (step) => kernels.swiglu(pool, gateUp, out, rows(step), columns);
    }
    case 'gather': {
      const [x, out, { columns }] = [at(op.x), at(op.out), value(op.x)];
      return ({ logitTokens, logitCount }) => kernels.gather(pool, x, logitTokens, out, logitCount, columns);
    }
    case 'allReduce': {
      const collectives = neededCollectives(context);
      const [x, rows, { columns }] = [at(op.x), rowsOf(op.x), value(op.x)];
      return (step) => collectives.allReduce(x, rows(step) * columns);
    }
    case 'allGather': {
      const collectives = neededCollectives(context);
      const [x, out, rows, { columns: columnCount }] = [at(op.x), at(op.out), rowsOf(op.x), value(op.x)];
      return (step) =>
        collectives.allGather({ x, out, rowCount: rows(step), columnCount, outColumnCount: op.columns });
    }
  }
}

function tableDtype(format: WeightFormat): (typeof TABLE_DTYPES)[number] {
  return format.type === 'int8' ? 'i8' : format.dtype;
}

function linearWeight({ plan, tensorAddress }: ProgramContext, op: LinearOp) {
  const { shape, format } = plan.weights[op.weight]!;
  const isInt8 = format.type === 'int8';
  return {
    format: isInt8 ? ('int8' as const) : format.dtype,
    outCount: shape[0]!,
    inCount: shape[1]!,
    weight: tensorAddress(op.weight),
    scale: isInt8 ? tensorAddress(`${op.weight}.scale`) : 0,
    sum: isInt8 ? tensorAddress(`${op.weight}.sum`) : 0,
    bias: op.bias === null ? 0 : tensorAddress(op.bias),
  };
}

function neededCollectives({ collectives }: ProgramContext): Collectives {
  invariant(collectives !== undefined, () => 'a plan of several ranks runs without collectives');
  return collectives;
}
