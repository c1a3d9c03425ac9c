/** A plan bound to the CPU's kernels, the weights' addresses and one workspace: a list of calls that a step runs in order. */
import { AloftError, invariant } from '../../../core/errors.js';
import type { NativeLibrary } from '../../../ffi/library.js';
import { bindAdd } from '../../../ops/add/cpu.js';
import { bindEmbedding, tableCode } from '../../../ops/embedding/cpu.js';
import {
  bindExpertDown,
  bindExpertGateUp,
  bindRoute,
  type CpuExpertWeights,
} from '../../../ops/experts/cpu.js';
import { bindGather } from '../../../ops/gather/cpu.js';
import { bindGeglu, type GegluKernel } from '../../../ops/geglu/cpu.js';
import { bindHeadNorm } from '../../../ops/head-norm/cpu.js';
import { bindLinear } from '../../../ops/linear/cpu/cpu.js';
import { packedAddresses, TILE_ROWS } from '../../../ops/linear/cpu/packed-linear.js';
import { bindPagedAttention } from '../../../ops/paged-attention/cpu.js';
import { bindRmsNorm } from '../../../ops/rms-norm/cpu.js';
import { bindRopeAppend } from '../../../ops/rope/cpu.js';
import { bindSoftCap } from '../../../ops/soft-cap/cpu.js';
import { bindSwiglu, type SwigluKernel } from '../../../ops/swiglu/cpu.js';
import { dispatch, type OpTable } from '../../../plan/ops/index.js';
import type {
  BufferName,
  ExpertDownOp,
  ExpertGateUpOp,
  GegluOp,
  SwigluOp,
  WeightName,
} from '../../../plan/plan.js';
import { formatText, isQuantised } from '../../../plan/weight-format.js';
import { type Instruction, OpScope, type ProgramContext } from './op-scope.js';

/** One instruction per op of the plan, in order. */
export function compileProgram(context: ProgramContext): readonly Instruction[] {
  const kernels = bindKernels(context.library, context.pool);
  return context.plan.ops.map((op, index) => dispatch(LOWERINGS, op, new OpScope(context, index), kernels));
}

type Kernels = ReturnType<typeof bindKernels>;

function bindKernels(library: NativeLibrary, pool: number) {
  return {
    add: bindAdd(library),
    embedding: bindEmbedding(library),
    expertDown: bindExpertDown(library, pool),
    expertGateUp: bindExpertGateUp(library, pool),
    gather: bindGather(library),
    geglu: bindGeglu(library),
    headNorm: bindHeadNorm(library),
    linear: bindLinear(library, pool),
    pagedAttention: bindPagedAttention(library),
    rmsNorm: bindRmsNorm(library),
    ropeAppend: bindRopeAppend(library),
    route: bindRoute(library, pool),
    softCap: bindSoftCap(library),
    swiglu: bindSwiglu(library),
  };
}

/** The kernel call of each op kind, with all that is the same in every step already looked up. */
const LOWERINGS: OpTable<[scope: OpScope, kernels: Kernels], Instruction> = {
  embedding(op, scope, { embedding }) {
    const { plan, pool, tensorAddress } = scope.context;
    const { format } = plan.weights[op.table]!;
    const [table, dtype] = [tensorAddress(op.table), tableCode(format)];
    invariant(dtype !== undefined, () => `the CPU reads no table as ${formatText(format)}`);
    const scales = isQuantised(format) ? tensorAddress(`${op.table}.scale`) : 0;
    const [out, columns] = [scope.at(op.out), scope.columns(op.out)];
    const { scale = 1 } = op;
    return ({ tokenIds, tokenCount }) =>
      embedding(pool, table, scales, dtype, tokenIds, out, tokenCount, columns, scale);
  },
  rmsNorm: (op, scope, kernels) => lowerNorm({ ...op, delta: 0 }, scope, kernels),
  addRmsNorm: (op, scope, kernels) =>
    lowerNorm({ ...op, x: op.residual, delta: scope.at(op.delta) }, scope, kernels),
  add(op, scope, { add }) {
    const { pool } = scope.context;
    const [residual, delta] = [scope.at(op.residual), scope.at(op.delta)];
    const [rows, columns] = [scope.rows(op.residual), scope.columns(op.residual)];
    return (step) => add(pool, residual, delta, rows(step) * columns);
  },
  linear(op, scope, kernels) {
    const { plan, tensorAddress } = scope.context;
    const { shape, format } = plan.weights[op.weight]!;
    const linear = kernels.linear({
      ...packedAddresses(op.weight, format, tensorAddress),
      format,
      outCount: shape[0]!,
      inCount: shape[1]!,
      bias: op.bias === null ? 0 : tensorAddress(op.bias),
      inputBits: op.inputBits,
    });
    const [x, out, rows] = [scope.at(op.x), scope.at(op.out), scope.rows(op.x)];
    return (step) => linear(rows(step), x, out);
  },
  ropeAppend(op, scope, { ropeAppend }) {
    const { plan, pool, cache, stepView } = scope.context;
    const [qkv, layer, layout] = [scope.at(op.qkv), cache.layerAddress(op.layer), cache.layout.address];
    const { headCount } = plan.dims;
    const rotations = scope.context.rotations(op.rope).address;
    return () => ropeAppend(pool, stepView.address, layout, layer, qkv, headCount, rotations);
  },
  pagedAttention(op, scope, { pagedAttention }) {
    const { plan, pool, cache, stepView } = scope.context;
    const [qkv, layer, layout] = [scope.at(op.qkv), cache.layerAddress(op.layer), cache.layout.address];
    const { headCount } = plan.dims;
    const out = scope.at(op.out);
    const { window = 0, softCap = 0 } = op;
    return () => pagedAttention(pool, stepView.address, layout, layer, qkv, out, headCount, window, softCap);
  },
  swiglu: (op, scope, { swiglu }) => lowerGated(op, scope, swiglu),
  geglu: (op, scope, { geglu }) => lowerGated(op, scope, geglu),
  headNorm(op, scope, { headNorm }) {
    const { plan, pool, tensorAddress } = scope.context;
    const { headCount, kvHeadCount, headDim } = plan.dims;
    const [qkv, rows] = [scope.at(op.qkv), scope.rows(op.qkv)];
    const [query, key] = [tensorAddress(op.queryWeight), tensorAddress(op.keyWeight)];
    const { epsilon } = op;
    return (step) => headNorm(pool, qkv, query, key, rows(step), headCount, kvHeadCount, headDim, epsilon);
  },
  routeExperts(op, scope, kernels) {
    const route = kernels.route({ ...op, expertCount: scope.columns(op.logits) });
    const [logits, out, rows] = [scope.at(op.logits), scope.at(op.out), scope.rows(op.logits)];
    return (step) => route(rows(step), logits, out);
  },
  expertGateUp(op, scope, kernels) {
    const weights = expertWeights(op, scope);
    const run = kernels.expertGateUp({ ...weights, outCount: weights.outCount / 2 });
    const [x, routes, out] = [scope.at(op.x), scope.at(op.routes), scope.at(op.out)];
    const rows = scope.rows(op.x);
    return (step) => run(rows(step), x, routes, out);
  },
  expertDown(op, scope, kernels) {
    const run = kernels.expertDown(expertWeights(op, scope));
    const [gated, routes, out] = [scope.at(op.gated), scope.at(op.routes), scope.at(op.out)];
    const rows = scope.rows(op.gated);
    return (step) => run(rows(step), gated, routes, out);
  },
  softCap(op, scope, { softCap }) {
    const { pool } = scope.context;
    const [x, rows, columns] = [scope.at(op.x), scope.rows(op.x), scope.columns(op.x)];
    return (step) => softCap(pool, x, op.cap, rows(step) * columns);
  },
  gather(op, scope, { gather }) {
    const { pool } = scope.context;
    const [x, out, columns] = [scope.at(op.x), scope.at(op.out), scope.columns(op.out)];
    return ({ logitTokens, logitCount }) => gather(pool, x, logitTokens, out, logitCount, columns);
  },
  allReduce(op, scope) {
    const collectives = scope.collectives();
    const [x, rows, columnCount] = [scope.at(op.x), scope.rows(op.x), scope.columns(op.x)];
    return (step) => collectives.allReduce(x, rows(step) * columnCount);
  },
  allGather(op, scope) {
    const collectives = scope.collectives();
    const [x, rows, columnCount] = [scope.at(op.x), scope.rows(op.x), scope.columns(op.x)];
    const [out, outColumnCount] = [scope.at(op.out), op.columns];
    return (step) => collectives.allGather({ x, out, rowCount: rows(step), columnCount, outColumnCount });
  },
};

/** The matrices of a layer's experts. @throws {AloftError} UNSUPPORTED where those of one are not whole tiles */
function expertWeights(
  { weight, routes, expertCount }: ExpertGateUpOp | ExpertDownOp,
  scope: OpScope,
): CpuExpertWeights {
  const { plan, tensorAddress } = scope.context;
  const { shape, format } = plan.weights[weight]!;
  const outCount = shape[0]! / expertCount;
  if (outCount % TILE_ROWS !== 0)
    throw new AloftError(
      'UNSUPPORTED',
      `${weight} has ${outCount} rows for each expert on a rank, but the CPU's kernels take multiples of ${TILE_ROWS}; build for fewer ranks.`,
    );
  return {
    ...packedAddresses(weight, format, tensorAddress),
    format,
    inCount: shape[1]!,
    outCount,
    expertCount,
    expertsPerToken: scope.columns(routes) / 2,
  };
}

/** A gated activation between the halves of a feed-forward layer. */
function lowerGated(
  op: SwigluOp | GegluOp,
  scope: OpScope,
  activate: SwigluKernel | GegluKernel,
): Instruction {
  const { pool } = scope.context;
  const [gateUp, rows] = [scope.at(op.gateUp), scope.rows(op.gateUp)];
  const [out, columns] = [scope.at(op.out), scope.columns(op.out)];
  return (step) => activate(pool, gateUp, out, rows(step), columns);
}

/** A norm, after the vectors at address `delta` are added to `x` if there are any. */
interface Norm {
  readonly x: BufferName;
  readonly delta: number;
  readonly weight: WeightName;
  readonly epsilon: number;
  readonly out: BufferName;
}

function lowerNorm(norm: Norm, scope: OpScope, { rmsNorm }: Kernels): Instruction {
  const { pool, tensorAddress } = scope.context;
  const { delta, epsilon } = norm;
  const [x, out, weight] = [scope.at(norm.x), scope.at(norm.out), tensorAddress(norm.weight)];
  const [rows, columns] = [scope.rows(norm.x), scope.columns(norm.x)];
  return (step) => rmsNorm(pool, x, delta, weight, out, rows(step), columns, epsilon);
}
