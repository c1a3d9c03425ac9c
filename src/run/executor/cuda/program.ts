/** From a plan to kernel launches: which ops become one kernel, and where operands lie. */
import { AloftError } from '../../../core/errors.js';
import { addLaunch } from '../../../ops/add/cuda.js';
import { embeddingLaunch } from '../../../ops/embedding/cuda.js';
import { gatherLaunch } from '../../../ops/gather/cuda.js';
import { rmsNormLaunch } from '../../../ops/rms-norm/cuda.js';
import { ropeAppendLaunch } from '../../../ops/rope/cuda.js';
import { swigluLaunch } from '../../../ops/swiglu/cuda.js';
import type { KernelLaunch } from '../../../ops/cuda/launch.js';
import { decodeLaunch, prefillLaunch } from '../../../ops/paged-attention/cuda.js';
import { sampleLaunch } from '../../../ops/sample/cuda.js';
import { isQuantisedKv } from '../../../plan/kv-dtype.js';
import { outputOf, readsOf } from '../../../plan/operands.js';
import type { BufferName, PlanOp } from '../../../plan/plan.js';
import { CACHE_MAP_KEY, qkvMapKey } from './attention-maps.js';
import { emitGatedLinear, emitLinear } from './emit-linear.js';
import {
  columnsOf,
  type LaunchSink,
  type OpContext,
  type Program,
  type ProgramMemory,
  rowsOf,
  type StepShape,
} from './op-context.js';

/** Enqueues a whole step. */
export function emitStep(program: Program, memory: ProgramMemory, shape: StepShape, sink: LaunchSink): void {
  const { plan } = program;
  for (let index = 0; index < plan.ops.length; index++) {
    const op = plan.ops[index]!;
    const next = plan.ops[index + 1];
    sink.startOp?.(index);
    if (op.kind === 'linear' && next?.kind === 'swiglu' && next.gateUp === op.out) {
      if (emitGatedLinear({ program, memory, shape, sink, index }, op, next)) index++;
    } else emitOp({ program, memory, shape, sink, index }, op);
  }
  sink.startOp?.(plan.ops.length);
  if (shape.logits > 0)
    sink.kernel(sampleLaunch(sampleProblem(program, shape), sampleOperands(program, memory, shape)));
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
      return sink.kernel(rmsNormLaunch(rowsOf(context, x), op.epsilon, operands));
    }
    case 'add': {
      const count = rowsOf(context, op.residual) * columnsOf(context, op.residual);
      return sink.kernel(addLaunch(count, at(op.residual), at(op.delta)));
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
        isQuantised: isQuantisedKv(program.plan.kvDtype),
      };
      const operands = { ...attentionOperands(context, op), positions: shape.descriptor('positions') };
      const rows = { tokenRows: shape.descriptor('tokenRows') };
      return sink.kernel(
        ropeAppendLaunch({ ...problem, maxBlocks: shape.maxBlocks }, { ...operands, ...rows }),
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
        headBlockBytes: memory.headBlockBytes,
        isQuantised: isQuantisedKv(program.plan.kvDtype),
        maxBlocks,
      };
      const problem = { ...sizes, decodeItems, prefillTiles };
      const operands = { ...attentionOperands(context, op), out: at(op.out) };
      if (decodeItems > 0) sink.kernel(decodeLaunch(problem, program.device, operands));
      if (prefillTiles > 0)
        sink.kernel(prefillLaunch(program.prefillKernel, problem, program.device, operands));
      return;
    }
    case 'swiglu':
      return sink.kernel(
        swigluLaunch(rowsOf(context, op.gateUp), columnsOf(context, op.out), at(op.gateUp), at(op.out)),
      );
    case 'gather': {
      const operands = { x: at(op.x), rows: shape.descriptor('logitTokens'), out: at(op.out) };
      return sink.kernel(gatherLaunch(shape.logits, columnsOf(context, op.x), operands));
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
  const isInt8 = program.plan.weights[table]!.format.type === 'quantised';
  return embeddingLaunch(
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
  { memory, shape, index, program }: OpContext,
  op: { readonly qkv: BufferName; readonly layer: number },
) {
  const qkv = memory.buffer(index, op.qkv);
  const cache = memory.cacheLayer(op.layer);
  return {
    qkv,
    cache,
    layerOffsetBytes: cache - memory.cacheLayer(0),
    maps:
      program.prefillKernel.name === 'attention_prefill'
        ? undefined
        : { qkv: memory.tensorMap(qkvMapKey(qkv)), cache: memory.tensorMap(CACHE_MAP_KEY) },
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
