/** The ops of a GPU: which kernels each kind needs, and how it becomes launches. A kind without an entry does not compile. */
import type { AddRmsNormOp, RmsNormOp } from '../../plan/plan.js';
import { isQuantised } from '../../plan/weight-format.js';
import { addLaunch } from '../add/cuda.js';
import { embeddingLaunch } from '../embedding/cuda.js';
import { gatherLaunch } from '../gather/cuda.js';
import { linearOp } from '../linear/cuda/op.js';
import { attentionOp } from '../paged-attention/cuda-op.js';
import { rmsNormLaunch } from '../rms-norm/cuda.js';
import { sampleLaunch } from '../sample/cuda.js';
import { swigluLaunch } from '../swiglu/cuda.js';
import { commonPart, type CudaOpDefinition } from './definition.js';
import type { CudaOp, CudaOpOf } from './lower.js';
import type { CudaScope, CudaInstruction } from './scope.js';

const CUDA_OPS: { readonly [Kind in CudaOp['kind']]: CudaOpDefinition<CudaOpOf<Kind>> } = {
  embedding: {
    kernels: () => [commonPart('embedding/embedding.cu')],
    bind({ table, out }, scope) {
      const { plan, memory } = scope.context;
      const shape = { hidden: plan.dims.hidden };
      const operands = {
        table: memory.tensor(table),
        scale: isQuantised(plan.weights[table]!.format) ? memory.tensor(`${table}.scale`) : 0,
        lastTokens: memory.lastTokens,
        out: scope.at(out),
      };
      return ({ tokens, descriptor }, sink) =>
        sink.kernel(
          embeddingLaunch(
            { ...shape, tokens },
            {
              ...operands,
              tokenIds: descriptor('tokenIds'),
              tokenRows: descriptor('tokenRows'),
              rowSlots: descriptor('rowSlots'),
            },
          ),
        );
    },
  },
  rmsNorm: {
    kernels: () => [commonPart('rms-norm/rms-norm.cu')],
    bind: (op, scope) => bindNorm(op, scope.at(op.x), null, scope),
  },
  addRmsNorm: {
    kernels: () => [commonPart('rms-norm/rms-norm.cu')],
    bind: (op, scope) => bindNorm(op, scope.at(op.residual), scope.at(op.delta), scope),
  },
  add: {
    kernels: () => [commonPart('add/add.cu')],
    bind(op, scope) {
      const [residual, delta] = [scope.at(op.residual), scope.at(op.delta)];
      const [rows, columns] = [scope.rows(op.residual), scope.columns(op.residual)];
      return (step, sink) => sink.kernel(addLaunch(rows(step) * columns, residual, delta));
    },
  },
  linear: linearOp,
  attention: attentionOp,
  swiglu: {
    kernels: () => [commonPart('swiglu/swiglu.cu')],
    bind(op, scope) {
      const [gateUp, out, rows] = [scope.at(op.gateUp), scope.at(op.out), scope.rows(op.gateUp)];
      const columns = scope.columns(op.out);
      return (step, sink) => sink.kernel(swigluLaunch(rows(step), columns, gateUp, out));
    },
  },
  gather: {
    kernels: () => [commonPart('gather/gather.cu')],
    bind(op, scope) {
      const [x, out, columns] = [scope.at(op.x), scope.at(op.out), scope.columns(op.x)];
      return ({ logits, descriptor }, sink) =>
        sink.kernel(gatherLaunch(logits, columns, { x, rows: descriptor('logitTokens'), out }));
    },
  },
  sample: {
    kernels: () => [{ unit: 'sample', file: 'sample/sample.cu' }],
    bind: (_, scope) => bindSampling(scope),
  },
};

/** The definition of an op's kind. */
export function cudaOpOf<Kind extends CudaOp['kind']>(op: CudaOpOf<Kind>): CudaOpDefinition<CudaOpOf<Kind>> {
  return CUDA_OPS[op.kind];
}

/** @param delta address of what is added to `x` first, or null */
function bindNorm(
  op: RmsNormOp | AddRmsNormOp,
  x: number,
  delta: number | null,
  scope: CudaScope,
): CudaInstruction {
  const operands = { x, delta, weight: scope.context.memory.tensor(op.weight), out: scope.at(op.out) };
  const rows = scope.rows(op.out);
  return (step, sink) => sink.kernel(rmsNormLaunch(rows(step), op.epsilon, operands));
}

function bindSampling({ context }: CudaScope): CudaInstruction {
  const { plan, inferred, memory, maxSequenceTokens } = context;
  const { logits: value } = inferred;
  const shape = { vocabulary: plan.dims.vocabulary, stride: value.columns, maxSequenceTokens };
  const operands = {
    logits: memory.valueAddress(value),
    work: memory.sampleWork,
    counts: memory.sampleCounts,
    slots: memory.slots,
    lastTokens: memory.lastTokens,
    history: memory.history,
    masks: memory.tokenMasks,
    outTokens: memory.outTokens,
    outLogprobs: memory.outLogprobs,
    outTopIds: memory.outTopIds,
    outTopLogprobs: memory.outTopLogprobs,
  };
  return ({ logits, topCount, descriptor }, sink) =>
    sink.kernel(
      sampleLaunch(
        { ...shape, logitCount: logits, topCount },
        {
          ...operands,
          logitRows: descriptor('logitRows'),
          logitTokens: descriptor('logitTokens'),
          logitTargets: descriptor('logitTargets'),
          rowSlots: descriptor('rowSlots'),
          positions: descriptor('positions'),
          logitMasks: descriptor('logitMasks'),
        },
      ),
    );
}
