/** From a plan to kernel launches: which ops become one kernel, which configuration each runs with, where operands lie. */
import { AloftError } from '../../../core/errors.js';
import type { GpuProperties } from '../../../device/cuda/gpu.js';
import type { MatmulPointers, MatmulShape } from '../../../device/cuda/cublaslt.js';
import * as small from '../../../ops/cuda/elementwise.js';
import type { KernelLaunch } from '../../../ops/cuda/launch.js';
import {
  canFuseSwiglu,
  dequantiseLaunch,
  linearLaunch,
  type GeneratedConfig,
  type LinearOperands,
  type LinearProblem,
} from '../../../ops/linear/cuda.js';
import type { LinearChooser } from '../../../ops/linear/cuda-tuning.js';
import { decodeLaunch, prefillLaunch } from '../../../ops/paged-attention/cuda.js';
import { sampleLaunch } from '../../../ops/sample/cuda.js';
import type { InferredPlan } from '../../../plan/infer.js';
import { outputOf, readsOf } from '../../../plan/operands.js';
import type { BufferName, LinearOp, Plan, PlanOp, SwigluOp } from '../../../plan/plan.js';
import type { DescriptorField } from './step-descriptor.js';

/** Where launches go: run at once, or captured. */
export interface LaunchSink {
  kernel(launch: KernelLaunch): void;
  matmul(shape: MatmulShape, pointers: MatmulPointers, algorithm: number): void;
}

/** Device addresses that do not change while the executor lives. */
export interface ProgramMemory {
  /** Of the value that an op (by index) reads or writes under a buffer's name. */
  readonly buffer: (opIndex: number, name: BufferName) => number;
  /** Of a packed tensor of the engine. */
  readonly tensor: (name: string) => number;
  readonly tensorMap: (key: string) => number;
  readonly cacheLayer: (layer: number) => number;
  /** Elements from one block of the cache to the next. */
  readonly blockStride: number;
  readonly cosTable: number;
  readonly sinTable: number;
  readonly partials: number;
  readonly arrivals: number;
  readonly slots: number;
  readonly lastTokens: number;
  readonly history: number;
  readonly sampleWork: number;
  readonly sampleCounts: number;
  /** Dense copy of the int8 weight in use. */
  readonly denseWeight: number;
  readonly outTokens: number;
  readonly outLogprobs: number;
  readonly outTopIds: number;
  readonly outTopLogprobs: number;
}

/** What a step needs besides memory. */
export interface StepShape {
  readonly tokens: number;
  readonly logits: number;
  readonly decodeItems: number;
  readonly prefillTiles: number;
  readonly maxBlocks: number;
  readonly topCount: number;
  readonly descriptor: (field: DescriptorField) => number;
}

export interface Program {
  readonly plan: Plan;
  readonly inferred: InferredPlan;
  readonly device: GpuProperties;
  readonly chooseLinear: LinearChooser;
  readonly maxSequenceTokens: number;
  readonly blockTokens: number;
}

export const xMapKey = (address: number, columns: number, rows: number): string =>
  `x:${address}:${columns}:${rows}`;
export const weightMapKey = (name: string): string => `w:${name}`;

/** Products of many rows are rounded up to this, so that cuBLASLt plans a bounded number of shapes. */
export const MATMUL_ROW_STEP = 64;
const MATMUL_EXACT_ROWS = 64;

export function matmulRows(rows: number): number {
  return rows <= MATMUL_EXACT_ROWS ? rows : Math.ceil(rows / MATMUL_ROW_STEP) * MATMUL_ROW_STEP;
}

/** Enqueues a whole step. */
export function emitStep(program: Program, memory: ProgramMemory, shape: StepShape, sink: LaunchSink): void {
  const { plan } = program;
  for (let index = 0; index < plan.ops.length; index++) {
    const op = plan.ops[index]!;
    const next = plan.ops[index + 1];
    if (op.kind === 'linear' && next?.kind === 'swiglu' && next.gateUp === op.out) {
      if (emitGatedLinear({ program, memory, shape, sink, index }, op, next)) index++;
    } else emitOp({ program, memory, shape, sink, index }, op);
  }
  if (shape.logits > 0)
    sink.kernel(sampleLaunch(sampleProblem(program, shape), sampleOperands(program, memory, shape)));
}

interface OpContext {
  readonly program: Program;
  readonly memory: ProgramMemory;
  readonly shape: StepShape;
  readonly sink: LaunchSink;
  readonly index: number;
}

function rowsOf({ program, shape, index }: OpContext, buffer: BufferName): number {
  return program.inferred.operands[index]!.get(buffer)!.rows === 'tokens' ? shape.tokens : shape.logits;
}

function columnsOf({ program, index }: OpContext, buffer: BufferName): number {
  return program.inferred.operands[index]!.get(buffer)!.columns;
}

function emitOp(context: OpContext, op: PlanOp): void {
  const { memory, shape, sink, index, program } = context;
  if (shape.logits === 0 && worksOnLogits(context, op)) return;
  const at = (name: BufferName): number => memory.buffer(index, name);
  const { headCount, kvHeadCount, headDim } = program.plan.dims;
  switch (op.kind) {
    case 'embedding':
      return sink.kernel(embedding(context, op.table, at(op.out)));
    case 'rmsNorm':
    case 'addRmsNorm': {
      const x = op.kind === 'rmsNorm' ? op.x : op.residual;
      const delta = op.kind === 'rmsNorm' ? null : at(op.delta);
      const operands = { x: at(x), delta, weight: memory.tensor(op.weight), out: at(op.out) };
      return sink.kernel(small.rmsNormLaunch(rowsOf(context, x), op.epsilon, operands));
    }
    case 'add': {
      const count = rowsOf(context, op.residual) * columnsOf(context, op.residual);
      return sink.kernel(small.addLaunch(count, at(op.residual), at(op.delta)));
    }
    case 'linear':
      return emitLinear(context, op);
    case 'ropeAppend': {
      if (shape.prefillTiles === 0) return; // the decode kernel does it
      const problem = {
        tokens: shape.tokens,
        headCount,
        kvHeadCount,
        headDim,
        blockStride: memory.blockStride,
      };
      const operands = { ...attentionOperands(context, op), positions: shape.descriptor('positions') };
      const rows = { tokenRows: shape.descriptor('tokenRows') };
      return sink.kernel(
        small.ropeAppendLaunch({ ...problem, maxBlocks: shape.maxBlocks }, { ...operands, ...rows }),
      );
    }
    case 'pagedAttention': {
      const { decodeItems, prefillTiles, maxBlocks } = shape;
      const { blockTokens } = program;
      const sizes = {
        headCount,
        kvHeadCount,
        headDim,
        blockTokens,
        blockStride: memory.blockStride,
        maxBlocks,
      };
      const problem = { ...sizes, decodeItems, prefillTiles };
      const operands = { ...attentionOperands(context, op), out: at(op.out) };
      if (decodeItems > 0) sink.kernel(decodeLaunch(problem, program.device, operands));
      if (prefillTiles > 0) sink.kernel(prefillLaunch(problem, operands));
      return;
    }
    case 'swiglu':
      return sink.kernel(
        small.swigluLaunch(rowsOf(context, op.gateUp), columnsOf(context, op.out), at(op.gateUp), at(op.out)),
      );
    case 'gather': {
      const operands = { x: at(op.x), rows: shape.descriptor('logitTokens'), out: at(op.out) };
      return sink.kernel(small.gatherLaunch(shape.logits, columnsOf(context, op.x), operands));
    }
    case 'allReduce':
    case 'allGather':
      throw new AloftError('INTERNAL', `${op.kind} reached a program of one rank`);
  }
}

/** Whether an op's rows are the tokens whose logits are wanted. */
function worksOnLogits({ program, index }: OpContext, op: PlanOp): boolean {
  const buffer = outputOf(op) ?? readsOf(op)[0]!;
  return program.inferred.operands[index]!.get(buffer)!.rows === 'logits';
}

function embedding({ program, memory, shape }: OpContext, table: string, out: number): KernelLaunch {
  const isInt8 = program.plan.weights[table]!.format.type === 'int8';
  return small.embeddingLaunch(
    { tokens: shape.tokens, hidden: program.plan.dims.hidden },
    {
      table: memory.tensor(table),
      scale: isInt8 ? memory.tensor(`${table}.scale`) : 0,
      tokenIds: shape.descriptor('tokenIds'),
      tokenRows: shape.descriptor('tokenRows'),
      rowSlots: shape.descriptor('rowSlots'),
      lastTokens: memory.lastTokens,
      out,
    },
  );
}

function attentionOperands(
  { memory, shape, index }: OpContext,
  op: { readonly qkv: BufferName; readonly layer: number },
) {
  return {
    qkv: memory.buffer(index, op.qkv),
    cache: memory.cacheLayer(op.layer),
    out: 0,
    cosTable: memory.cosTable,
    sinTable: memory.sinTable,
    rowOffsets: shape.descriptor('rowOffsets'),
    contextLengths: shape.descriptor('contextLengths'),
    blockTables: shape.descriptor('blockTables'),
    decodeItems: shape.descriptor('decodeItems'),
    itemCount: shape.descriptor('itemCount'),
    prefillTiles: shape.descriptor('prefillTiles'),
    partials: memory.partials,
    arrivals: memory.arrivals,
  };
}

/** The problem that a linear op poses at a number of rows. */
export function linearProblem(plan: Plan, op: LinearOp, m: number, fused: boolean): LinearProblem {
  const { shape, format } = plan.weights[op.weight]!;
  const isInt8 = format.type === 'int8';
  const epilogue = fused ? 'swiglu' : op.outDtype === 'f32' ? 'f32' : 'store';
  return { m, n: shape[0]!, k: shape[1]!, isInt8, epilogue };
}

function emitLinear(context: OpContext, op: LinearOp): void {
  const { program, memory, sink, index } = context;
  const m = rowsOf(context, op.x);
  const problem = linearProblem(program.plan, op, m, false);
  const config = program.chooseLinear(problem);
  const out = memory.buffer(index, op.out);
  if (config.method !== 'matmul') {
    sink.kernel(linearLaunch(config, problem, linearOperands(context, op, config, out)));
    return;
  }
  let weight = memory.tensor(op.weight);
  if (problem.isInt8) {
    const scale = memory.tensor(`${op.weight}.scale`);
    sink.kernel(dequantiseLaunch(problem, { weight, scale, out: memory.denseWeight }));
    weight = memory.denseWeight;
  }
  const { n, k } = problem;
  const inputDtype = program.plan.activationDtype === 'bf16' ? 'bf16' : 'f16';
  const outputDtype = op.outDtype === 'f32' ? 'f32' : inputDtype;
  const shape = { m: matmulRows(m), n, k, inputDtype, outputDtype } as const;
  sink.matmul(shape, { x: memory.buffer(index, op.x), weight, out }, config.algorithm ?? 0);
  if (op.bias !== null) sink.kernel(small.addBiasLaunch(m, n, out, memory.tensor(op.bias)));
}

/** Gate-up and SwiGLU as one kernel, when there is one. */
function emitGatedLinear(context: OpContext, op: LinearOp, swiglu: SwigluOp): boolean {
  const { program, memory, sink, index } = context;
  const problem = linearProblem(program.plan, op, rowsOf(context, op.x), true);
  const config = program.chooseLinear(problem);
  if (config.method === 'matmul' || !canFuseSwiglu(config, problem.n / 2)) {
    emitLinear(context, op);
    return false;
  }
  const out = memory.buffer(index + 1, swiglu.out);
  sink.kernel(linearLaunch(config, problem, linearOperands(context, op, config, out)));
  return true;
}

function linearOperands(
  { program, memory, index }: OpContext,
  op: LinearOp,
  config: GeneratedConfig,
  out: number,
): LinearOperands {
  const { format, shape } = program.plan.weights[op.weight]!;
  const isInt8 = format.type === 'int8';
  const x = memory.buffer(index, op.x);
  const isRing = config.method === 'ring';
  return {
    x,
    xMap: isRing ? memory.tensorMap(xMapKey(x, shape[1]!, config.tokenGroups * 8)) : 0,
    weight: memory.tensor(op.weight),
    weightMap: isRing && !isInt8 ? memory.tensorMap(weightMapKey(op.weight)) : 0,
    scale: isInt8 ? memory.tensor(`${op.weight}.scale`) : 0,
    bias: op.bias === null ? 0 : memory.tensor(op.bias),
    out,
    multiprocessorCount: program.device.multiprocessorCount,
  };
}

function sampleProblem({ plan, inferred, maxSequenceTokens }: Program, { logits, topCount }: StepShape) {
  const stride = inferred.logits.columns;
  return { logitCount: logits, vocabulary: plan.dims.vocabulary, stride, maxSequenceTokens, topCount };
}

function sampleOperands({ plan }: Program, memory: ProgramMemory, { descriptor }: StepShape) {
  return {
    logits: memory.buffer(plan.ops.length - 1, plan.logits),
    work: memory.sampleWork,
    counts: memory.sampleCounts,
    slots: memory.slots,
    lastTokens: memory.lastTokens,
    history: memory.history,
    logitRows: descriptor('logitRows'),
    logitTokens: descriptor('logitTokens'),
    logitTargets: descriptor('logitTargets'),
    rowSlots: descriptor('rowSlots'),
    positions: descriptor('positions'),
    outTokens: memory.outTokens,
    outLogprobs: memory.outLogprobs,
    outTopIds: memory.outTopIds,
    outTopLogprobs: memory.outTopLogprobs,
  };
}
