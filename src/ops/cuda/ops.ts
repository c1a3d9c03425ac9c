/** The ops of a GPU: which kernels each kind needs, and how it becomes launches. A kind without an entry does not compile. */
import type { BufferName, ExpertDownOp, ExpertGateUpOp, Plan } from '../../plan/plan.js';
import { isQuantised } from '../../plan/weight-format.js';
import { addLaunch } from '../add/cuda.js';
import { embeddingLaunch } from '../embedding/cuda.js';
import { expertDownLaunch, expertGateUpLaunch, expertPart, routeLaunch } from '../experts/cuda.js';
import { allGatherOp, allReduceOp, reduceNormOp } from '../exchange/cuda-op.js';
import { enqueueTokens } from '../exchange/ranks.js';
import { gatherLaunch } from '../gather/cuda.js';
import { gegluLaunch } from '../geglu/cuda.js';
import { headNormLaunch } from '../head-norm/cuda.js';
import { linearOp } from '../linear/cuda/op.js';
import { type StoredWeights, storedWeights } from '../linear/cuda/stored-weights.js';
import { attentionOp } from '../paged-attention/cuda-op.js';
import { addRmsNormOp, rmsNormOp } from '../rms-norm/cuda-op.js';
import { sampleLaunch } from '../sample/cuda.js';
import { softCapLaunch } from '../soft-cap/cuda.js';
import { swigluLaunch } from '../swiglu/cuda.js';
import { commonPart, type CudaOpDefinition } from './definition.js';
import type { CudaOp, CudaOpOf } from './lower.js';
import type { CudaScope, CudaInstruction } from './scope.js';

const CUDA_OPS: { readonly [Kind in CudaOp['kind']]: CudaOpDefinition<CudaOpOf<Kind>> } = {
  embedding: {
    kernels: () => [commonPart('embedding/embedding.cu')],
    bind({ table, out, scale: factor = 1 }, scope) {
      const { plan, memory } = scope.context;
      const shape = { hidden: plan.dims.hidden, factor };
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
  rmsNorm: rmsNormOp,
  addRmsNorm: addRmsNormOp,
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
  geglu: {
    kernels: () => [commonPart('geglu/geglu.cu')],
    bind(op, scope) {
      const [gateUp, out, rows] = [scope.at(op.gateUp), scope.at(op.out), scope.rows(op.gateUp)];
      const columns = scope.columns(op.out);
      return (step, sink) => sink.kernel(gegluLaunch(rows(step), columns, gateUp, out));
    },
  },
  headNorm: {
    kernels: () => [commonPart('head-norm/head-norm.cu')],
    bind(op, scope) {
      const { plan, memory } = scope.context;
      const { headCount, kvHeadCount } = plan.dims;
      const shape = { headCount, kvHeadCount, epsilon: op.epsilon };
      const [queryWeight, keyWeight] = [memory.tensor(op.queryWeight), memory.tensor(op.keyWeight)];
      const operands = { qkv: scope.at(op.qkv), queryWeight, keyWeight };
      const rows = scope.rows(op.qkv);
      return (step, sink) => sink.kernel(headNormLaunch(rows(step), shape, operands));
    },
  },
  routeExperts: {
    kernels: () => [commonPart('experts/experts.cu')],
    bind(op, scope) {
      const args = {
        logits: scope.at(op.logits),
        routes: scope.at(op.out),
        experts: scope.columns(op.logits),
        perToken: op.expertsPerToken,
        normalises: op.isNormalised ? 1 : 0,
      };
      const rows = scope.rows(op.logits);
      return (step, sink) => sink.kernel(routeLaunch(rows(step), args));
    },
  },
  expertGateUp: {
    kernels: (op, { plan }) => [expertPart('expert_gate_up', storedExperts(op, plan))],
    bind(op, scope) {
      const { columns, ...args } = expertArgs(op, op.x, scope);
      const rows = scope.rows(op.x);
      const ofLaunch = { ...args, columns: columns / 2 };
      const stored = storedExperts(op, scope.context.plan);
      return (step, sink) => sink.kernel(expertGateUpLaunch(rows(step), stored, ofLaunch));
    },
  },
  expertDown: {
    kernels: (op, { plan }) => [expertPart('expert_down', storedExperts(op, plan))],
    bind(op, scope) {
      const args = expertArgs(op, op.gated, scope);
      const rows = scope.rows(op.gated);
      const stored = storedExperts(op, scope.context.plan);
      return (step, sink) => sink.kernel(expertDownLaunch(rows(step), stored, args));
    },
  },
  softCap: {
    kernels: () => [commonPart('soft-cap/soft-cap.cu')],
    bind(op, scope) {
      const [x, rows, columns] = [scope.at(op.x), scope.rows(op.x), scope.columns(op.x)];
      return (step, sink) => sink.kernel(softCapLaunch(rows(step), columns, x, op.cap));
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
  allReduce: allReduceOp,
  reduceNorm: reduceNormOp,
  allGather: allGatherOp,
  sample: {
    kernels: () => [{ unit: 'sample', file: 'sample/sample.cu' }],
    bind: (_, scope) => bindTokens(scope),
  },
};

/** Arguments of the kernels of experts; `columns` are the rows of an expert's matrix. */
function expertArgs(op: ExpertGateUpOp | ExpertDownOp, x: BufferName, scope: CudaScope) {
  const { plan, memory } = scope.context;
  const { shape } = plan.weights[op.weight]!;
  const { hasRowScales } = storedExperts(op, plan);
  return {
    x: scope.at(x),
    routes: scope.at(op.routes),
    weight: memory.tensor(op.weight),
    scale: hasRowScales ? memory.tensor(`${op.weight}.scale`) : 0,
    out: scope.at(op.out),
    in: shape[1]!,
    columns: shape[0]! / op.expertCount,
    perToken: scope.columns(op.routes) / 2,
  };
}

const storedExperts = ({ weight }: ExpertGateUpOp | ExpertDownOp, { weights }: Plan): StoredWeights =>
  storedWeights(weights[weight]!.format);

/** The definition of an op's kind. */
export function cudaOpOf<Kind extends CudaOp['kind']>(op: CudaOpOf<Kind>): CudaOpDefinition<CudaOpOf<Kind>> {
  return CUDA_OPS[op.kind];
}

/** Rank 0 samples for all: where two tokens are almost equally likely, ranks that chose alone might differ. */
function bindTokens(scope: CudaScope): CudaInstruction {
  const { ranks, memory, plan } = scope.context;
  // The results are zeros from the beginning.
  if (plan.results === 'hiddenStates') return () => {};
  const sample = bindSampling(scope);
  if (ranks === undefined) return sample;
  return (step, sink) => {
    if (ranks.rank === 0) sample(step, sink);
    const { logits, descriptor } = step;
    const [rowSlots, logitRows] = [descriptor('rowSlots'), descriptor('logitRows')];
    const logitTargets = descriptor('logitTargets');
    const { lastTokens, outTokens } = memory;
    enqueueTokens(ranks, outTokens, { lastTokens, rowSlots, logitRows, logitTargets, logits }, sink);
  };
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
